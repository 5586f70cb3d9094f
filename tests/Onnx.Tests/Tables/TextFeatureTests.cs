using MlNetBatchNorm.Onnx.Tables;

namespace MlNetBatchNorm.Onnx.Tests.Tables;

/// <summary>The features of a text are what scikit-learn makes of it.</summary>
public sealed class TextFeatureTests
{
    private const int Buckets = 1 << 16;

    // scikit-learn 1.2.1: HashingVectorizer(token_pattern=r"\w+", ngram_range=(1, 2), n_features=2**16, alternate_sign=False).
    [Theory]
    [InlineData(
        "The quick brown fox, the QUICK fox!", new[] { 24734, 37397, 40448, 41022, 47946, 48023, 50158, 50889, 63437 },
        new[] { 0.436436f, 0.218218f, 0.218218f, 0.218218f, 0.218218f, 0.436436f, 0.218218f, 0.436436f, 0.436436f })]
    [InlineData(
        "Don't stop: 3.5 stars_of 10 — naïve Ärger",
        new[]
        {
            2012, 2230, 3550, 8371, 11339, 11366, 13796, 18970, 27888, 31038, 34261, 36997, 41396, 59788, 60064, 60976, 63169,
        },
        new[] { 0.242536f })]
    [InlineData("Добрый день, мир", new[] { 17035, 18022, 18868, 22501, 50286 }, new[] { 0.447214f })]
    [InlineData("Καλημέρα κόσμε", new[] { 34711, 36494, 58540 }, new[] { 0.577350f })]
    [InlineData("x", new[] { 39707 }, new[] { 1f })]
    public void Encode_WordsAndPairs_AreThoseOfScikitLearn(string text, int[] buckets, float[] values)
    {
        var terms = new TextFeature("t", Buckets, 2, [.. Enumerable.Range(0, Buckets)]).Encode(text);

        Assert.Equal(buckets, terms.Places);
        for (var i = 0; i < buckets.Length; i++) Assert.Equal(values.Length == 1 ? values[0] : values[i], terms.Values[i], 1e-6f);
    }

    [Fact]
    public void Encode_BucketsThatAreNoFeatures_CountInTheLengthOnly()
    {
        var feature = new TextFeature("t", Buckets, 2, [24734, 41022, 50889]);

        var terms = feature.Encode("The quick brown fox, the QUICK fox!");

        Assert.Equal([0, 1, 2], terms.Places);
        Assert.Equal([0.436436f, 0.218218f, 0.436436f], terms.Values.Select(value => MathF.Round(value, 6)));
        Assert.False(terms.IsUnknown);
        Assert.True(feature.Encode("zzz").IsUnknown);
        Assert.False(feature.Encode(" . ").IsUnknown);
    }

    [Theory]
    [InlineData("今天天气很好。", "今 天 天 气 很 好")]
    [InlineData("第3次 iPhone15を買った", "第 3 次 iphone15 を 買 っ た")]
    [InlineData("ที่นี่ดี", "ที่ นี่ ดี")]
    [InlineData("नमस्ते दुनिया", "नमस्ते दुनिया")]
    [InlineData("e\u0301te\u0301 ÉTÉ", "e\u0301te\u0301 été")]
    [InlineData("😀 wow\U0001F600wow", "wow wow")]
    [InlineData("\ud800a \udc00", "a")]
    [InlineData("", "")]
    [InlineData("n/a", "")]
    [InlineData("?!…", "")]
    public void WordsOf_AnyScript_AreItsWords(string text, string words) =>
        Assert.Equal(words, string.Join(' ', TextFeature.WordsOf(text)));

    [Fact]
    public void WordsOf_OneEndlessWord_IsCutOff() => Assert.Equal(256, Assert.Single(TextFeature.WordsOf(new string('a', 1 << 20))).Length);

    [Theory]
    [InlineData(1000, 2, new[] { 1 }, "power of two")]
    [InlineData(0, 2, new[] { 1 }, "power of two")]
    [InlineData(1024, 3, new[] { 1 }, "1 or 2 words")]
    [InlineData(1024, 2, new int[0], "ascending numbers below 1024")]
    [InlineData(1024, 2, new[] { 3, 3 }, "ascending numbers below 1024")]
    [InlineData(1024, 2, new[] { 1024 }, "ascending numbers below 1024")]
    public void Create_WhatCannotBe_SaysWhy(int buckets, int words, int[] kept, string expected) => Assert.Contains(
        expected, Assert.ThrowsAny<ArgumentException>(() => new TextFeature("t", buckets, words, kept)).Message, StringComparison.Ordinal);
}
