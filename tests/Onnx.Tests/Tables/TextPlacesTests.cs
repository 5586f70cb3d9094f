using MlNetBatchNorm.Onnx.Tables;

namespace MlNetBatchNorm.Onnx.Tests.Tables;

public sealed class TextPlacesTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(1000)]
    public void Place_OfATextOrOfNone_IsThatOfADictionary(int count)
    {
        var texts = Enumerable.Range(0, count).Select(i => i % 3 == 0 ? $"{i}" : new string('a', i % 50) + i).ToArray();
        var places = new TextPlaces(texts);
        var dictionary = texts.Select((text, place) => (text, place)).ToDictionary(pair => pair.text, pair => pair.place);
        foreach (var text in texts.Concat(texts.Select(text => text.ToUpperInvariant())).Append(string.Empty).Append("none"))
            Assert.Equal(dictionary.GetValueOrDefault(text, -1), places[$"[{text}]".AsSpan()[1..^1]]);
    }

    [Fact]
    public void Texts_WithOneTwice_AreRefusedByName()
    {
        var error = Assert.Throws<ArgumentException>(() => new TextPlaces(["one", "other", "one"]));
        Assert.Contains("'one' is there twice", error.Message, StringComparison.Ordinal);
    }
}
