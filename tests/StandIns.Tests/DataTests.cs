using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.StandIns.Tests;

public sealed class DataTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void LoadFromTextFile_QuotesEmptyAndBadFields_AreReadAsMLNetReadsThem()
    {
        var path = Path.GetTempFileName();
        File.WriteAllText(path, "city,age,a,b,churned\n\"Bath, \"\"old\"\"\",41.5,1,2,1\n\n// a comment\nRome,,?,x,no\n");
        var rows = _ml.Data.CreateEnumerable<Customer>(
            _ml.Data.LoadFromTextFile<CustomerOnFile>(path, separatorChar: ',', hasHeader: true, allowQuoting: true), false).ToArray();
        File.Delete(path);

        Assert.Equal(2, rows.Length);
        Assert.Equal("Bath, \"old\"", rows[0].City);
        Assert.Equal([1f, 2f], rows[0].Usage);
        Assert.True(rows[0].Label);
        Assert.Equal(0, rows[1].Age);
        Assert.Equal([float.NaN, float.NaN], rows[1].Usage);
        Assert.False(rows[1].Label);
    }

    [Fact]
    public void LoadFromTextFile_OptionsWithHeader_NameSlotsAndKeepMissingReals()
    {
        var path = Path.GetTempFileName();
        File.WriteAllText(path, "age;a;b\n1.5;;2\n;3;4\n");
        var data = _ml.Data.LoadFromTextFile(path, new TextLoader.Options
        {
            Columns = [new TextLoader.Column("Age", DataKind.Single, 0), new TextLoader.Column("Usage", DataKind.Single, 1, 2)],
            Separators = [';'],
            HasHeader = true,
            MissingRealsAsNaNs = true,
        });
        VBuffer<ReadOnlyMemory<char>> names = default;
        data.Schema["Usage"].GetSlotNames(ref names);

        Assert.Equal([1.5f, float.NaN], data.GetColumn<float>("Age"));
        Assert.Equal([[float.NaN, 2f], [3f, 4f]], data.GetColumn<float[]>("Usage"));
        Assert.Equal(["a", "b"], names.DenseValues().Select(n => n.ToString()));
        File.Delete(path);
    }

    [Fact]
    public void LoadFromTextFile_TextInBooleanColumn_ThrowsNamingLineAndColumn()
    {
        var path = Path.GetTempFileName();
        File.WriteAllText(path, "Rome,1,2,3,maybe\n");
        var data = _ml.Data.LoadFromTextFile<CustomerOnFile>(path, separatorChar: ',');
        var error = Assert.ThrowsAny<Exception>(() => data.GetColumn<bool>("Label").ToArray());
        File.Delete(path);

        // The real one parses on other threads, and wraps what they throw.
        var messages = new List<string>();
        for (var e = error; e is not null; e = e.InnerException)
            messages.Add(e.Message);
        Assert.Contains(messages, m => m.Contains("maybe", StringComparison.Ordinal) && m.Contains("Label", StringComparison.Ordinal));
    }

    [Fact]
    public void LoadFromEnumerable_VectorTypes_GiveSizesAndDuplicateNamesAreRejected()
    {
        var data = _ml.Data.LoadFromEnumerable([new Customer { City = "Rome", Usage = [1, 2] }]);

        Assert.Equal(2, ((VectorDataViewType)data.Schema["Usage"].Type).Size);
        Assert.Same(TextDataViewType.Instance, data.Schema["City"].Type);
        Assert.Equal("Rome", data.GetColumn<string>("City").Single());
        Assert.Null(data.Schema.GetColumnOrNull("Nowhere"));
        Assert.Throws<ArgumentOutOfRangeException>(() => data.Schema["Nowhere"]);
    }

    [Fact]
    public void KeyMembers_CountFromZeroWhenReadAndFromOneWhenWritten()
    {
        var data = _ml.Data.LoadFromEnumerable(new[] { 0u, 2u, 3u }.Select(k => new Keyed { Key = k }));

        Assert.Equal([1u, 3u, 0u], data.GetColumn<uint>("Key"));
        Assert.Equal([1u, 3u, 0u], _ml.Data.CreateEnumerable<Keyed>(data, false).Select(k => k.Key));
    }

    [Fact]
    public void TrainTestSplit_SameSeed_PartsTheRowsTheSameWay()
    {
        var data = _ml.Data.LoadFromEnumerable(Enumerable.Range(0, 1000).Select(i => new AgeOnly { Age = i }).ToList());
        var (first, second) = (_ml.Data.TrainTestSplit(data, 0.25, seed: 7), _ml.Data.TrainTestSplit(data, 0.25, seed: 7));
        var test = first.TestSet.GetColumn<float>("Age").ToArray();

        Assert.InRange(test.Length, 180, 320);
        Assert.Equal(test, second.TestSet.GetColumn<float>("Age"));
        Assert.Equal(1000, test.Concat(first.TrainSet.GetColumn<float>("Age")).Distinct().Count());
        Assert.Equal(data.Schema.Select(c => c.Name), first.TrainSet.Schema.Select(c => c.Name));
    }

    [Fact]
    public void RowOperations_TakeSkipShuffleAndCache_KeepTheRightRows()
    {
        var data = _ml.Data.LoadFromEnumerable(Enumerable.Range(0, 10).Select(i => new AgeOnly { Age = i }).ToList());
        float[] Ages(IDataView view) => view.GetColumn<float>("Age").ToArray();

        Assert.Equal([0f, 1f], Ages(_ml.Data.TakeRows(data, 2)));
        Assert.Equal([8f, 9f], Ages(_ml.Data.SkipRows(data, 8)));
        Assert.Equal(Ages(data), Ages(_ml.Data.Cache(data)));
        var shuffled = Ages(_ml.Data.ShuffleRows(data, seed: 3));
        Assert.NotEqual(Ages(data), shuffled);
        Assert.Equal(10, shuffled.Distinct().Count());
    }

    [Fact]
    public void VBuffer_SparseAndDense_CopyAlike()
    {
        var sparse = new VBuffer<float>(5, 2, [7, 8], [1, 4]);
        VBuffer<float> dense = default, copy = default;
        sparse.CopyToDense(ref dense);
        sparse.CopyTo(ref copy);

        Assert.Equal([0f, 7f, 0f, 0f, 8f], dense.DenseValues());
        Assert.Equal(dense.DenseValues(), copy.DenseValues());
        Assert.Equal(2, copy.GetValues().Length);
        Assert.Equal([KeyValuePair.Create(1, 7f), KeyValuePair.Create(4, 8f)], sparse.Items());
        Assert.Equal(8, sparse.GetItemOrDefault(4));
        Assert.False(sparse.IsDense);
        var editor = VBufferEditor.Create(ref dense, 3);
        Assert.False(editor.CreatedNewValues);
    }

    private sealed class Keyed
    {
        [KeyType(3)]
        public uint Key { get; set; }
    }
}
