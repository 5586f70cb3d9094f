using MlNetBatchNorm.Onnx.Execution.Memory;
using MlNetBatchNorm.Trainer.Graphs;

namespace MlNetBatchNorm.Trainer.Training;

/// <summary>All numbers of a network in memory that models read and write in place: each group of parameters is one vector.</summary>
internal sealed class ParameterStore : IDisposable
{
    private readonly Dictionary<string, TensorBuffer<float>> _vectors;
    private readonly Dictionary<string, TensorView<float>> _parameters = new(StringComparer.Ordinal);
    private readonly List<TensorBuffer<float>> _owned = [];

    /// <param name="session">The session that reads and writes it.</param>
    /// <param name="groups">The parameters.</param>
    /// <param name="slots">The vectors of the optimizer.</param>
    /// <param name="other">Whose slots these are, too, for an optimizer that writes each of their numbers where it has read it.</param>
    public ParameterStore(
        OnnxSession session, IReadOnlyList<ParameterGroup> groups, IEnumerable<(string Name, int Count)> slots, ParameterStore? other)
    {
        _vectors = new(StringComparer.Ordinal);
        foreach (var group in groups)
        {
            var vector = Own(session.CreateBuffer<float>(group.Count));
            _vectors.Add(group.Name, vector);
            AddParameters(group, vector);
        }

        foreach (var (name, count) in slots) _vectors.Add(name, other?._vectors[name] ?? Own(session.CreateBuffer<float>(count)));
    }

    private ParameterStore(Dictionary<string, TensorBuffer<float>> vectors) => _vectors = vectors;

    /// <summary>The same numbers, but for each parameter of which there is a slot, what is in the slot. Not to be disposed of.</summary>
    public ParameterStore Through(IReadOnlyList<ParameterGroup> groups, string slot)
    {
        var store = new ParameterStore(_vectors);
        foreach (var group in groups)
            store.AddParameters(group, _vectors.GetValueOrDefault(UpdateGraph.SlotName(group, slot)) ?? _vectors[group.Name]);
        return store;
    }

    /// <summary>A parameter, or a whole vector.</summary>
    public TensorView<float> this[string name] =>
        _parameters.TryGetValue(name, out var view) ? view : _vectors[name].Whole;

    /// <summary>All vectors by name, copied.</summary>
    public Dictionary<string, float[]> ToArrays() =>
        _vectors.ToDictionary(vector => vector.Key, vector => vector.Value.Span.ToArray(), StringComparer.Ordinal);

    /// <summary>Sets all vectors.</summary>
    public void Set(IReadOnlyDictionary<string, float[]> values)
    {
        foreach (var (name, vector) in _vectors) values[name].CopyTo(vector.Span);
    }

    public void CopyTo(ParameterStore other)
    {
        foreach (var (name, vector) in _vectors)
            if (other._vectors[name] != vector) vector.Span.CopyTo(other._vectors[name].Span);
    }

    public void Dispose()
    {
        foreach (var vector in _owned) vector.Dispose();
    }

    private TensorBuffer<float> Own(TensorBuffer<float> vector)
    {
        _owned.Add(vector);
        return vector;
    }

    private void AddParameters(ParameterGroup group, TensorBuffer<float> vector)
    {
        foreach (var parameter in group.Parameters)
            _parameters.Add(parameter.Name, vector.At(group.OffsetOf(parameter.Name), [.. parameter.Shape]));
    }
}
