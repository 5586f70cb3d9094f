using System.Collections;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// The nodes of a graph in order, where any can be put in or taken out at once. As long as nothing changes this is the list that was given,
/// and takes no memory of its own: a model may have millions of nodes.
/// </summary>
/// <param name="given">The nodes, which nobody changes before this list is changed.</param>
internal sealed class NodeList(IReadOnlyList<NodeProto> given) : IEnumerable<NodeProto>
{
    // A ring of places that know their neighbours; the first of them is no node's, and stands between the last and the first.
    private readonly List<(NodeProto? Node, int Before, int Behind)> _ring = [];
    private readonly Dictionary<NodeProto, int> _places = new(ReferenceEqualityComparer.Instance);

    public int Count => _ring.Count > 0 ? _places.Count : given.Count;

    /// <summary>Whether a node, this very one, is in the list.</summary>
    public bool Contains(NodeProto node) => Ring(node) > 0;

    /// <summary>The node in front of another one; null in front of all.</summary>
    public NodeProto? Previous(NodeProto node) => _ring[_ring[Place(node)].Before].Node;

    /// <summary>Puts a node behind another one; null = in front of all.</summary>
    public void AddBehind(NodeProto? place, NodeProto node) => Add(node, Place(place));

    /// <summary>Puts a node in front of another one; null = at the end.</summary>
    public void AddBefore(NodeProto? place, NodeProto node)
    {
        var behind = Place(place);
        Add(node, _ring[behind].Before);
    }

    /// <summary>Takes out a node.</summary>
    public void Remove(NodeProto node)
    {
        var (_, before, behind) = _ring[Place(node)];
        _places.Remove(node);
        _ring[before] = _ring[before] with { Behind = behind };
        _ring[behind] = _ring[behind] with { Before = before };
    }

    /// <summary>The nodes from the last to the first; each may be taken out when it is met.</summary>
    public IEnumerable<NodeProto> Backwards()
    {
        for (var place = _ring[Place(null)].Before; _ring[place].Node is { } node;)
        {
            place = _ring[place].Before;
            yield return node;
        }
    }

    public IEnumerator<NodeProto> GetEnumerator()
    {
        if (_ring.Count == 0)
        {
            // By index: an enumerator of protobuf's lists costs more.
            for (var i = 0; i < given.Count; i++) yield return given[i];
            yield break;
        }

        for (var place = _ring[0].Behind; _ring[place].Node is { } node; place = _ring[place].Behind) yield return node;
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private int Place(NodeProto? node)
    {
        var place = Ring(node);
        return place >= 0 ? place : throw new ArgumentException($"{node!.Describe()} is not in the graph.", nameof(node));
    }

    // The place of a node, which null has as well; −1 where it has none.
    private int Ring(NodeProto? node)
    {
        if (_ring.Count == 0)
        {
            _ring.Capacity = given.Count + 1;
            _places.EnsureCapacity(given.Count);
            _ring.Add((null, 0, 0));
            for (var i = 0; i < given.Count; i++) Add(given[i], i);
        }

        return node is null ? 0 : _places.TryGetValue(node, out var place) ? place : -1;
    }

    private void Add(NodeProto node, int before)
    {
        var behind = _ring[before].Behind;
        _places.Add(node, _ring.Count);
        _ring[before] = _ring[before] with { Behind = _ring.Count };
        _ring[behind] = _ring[behind] with { Before = _ring.Count };
        _ring.Add((node, before, behind));
    }
}
