using System.Collections;
using System.Runtime.CompilerServices;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>One place where a value is read.</summary>
/// <param name="Node">The reader.</param>
/// <param name="Input">Which of its inputs, or −1 when something inside one of its subgraphs reads the value.</param>
internal readonly record struct Use(NodeProto Node, int Input)
{
    public bool IsCapture => Input < 0;

    /// <summary>Whether the reader looks at the value's shape alone, so that other elements make no difference.</summary>
    public bool IsShapeOnly => !IsCapture && (Node.Is("Shape") || Node.Is("Size"));

    public bool Is(NodeProto node, int input) => ReferenceEquals(Node, node) && Input == input;
}

/// <summary>The places where one value is read, in order. Most values are read once, and then there is no list.</summary>
/// <param name="only">The only place; of no node where there is none, or a list.</param>
/// <param name="many">The list, once there were several.</param>
internal readonly struct Uses(Use only, UseList? many) : IReadOnlyList<Use>
{
    public int Count => many?.Count ?? (only.Node is null ? 0 : 1);

    public Use this[int index] => many is not null ? many[index]
        : index == 0 && Count == 1 ? only : throw new ArgumentOutOfRangeException(nameof(index));

    /// <summary>These and one more place.</summary>
    public Uses With(Use use)
    {
        if (many is null && only.Node is null) return new Uses(use, null);
        var list = many ?? new UseList(only);
        list.Add(use);
        return new Uses(default, list);
    }

    /// <summary>These without one place; null where it is none of them.</summary>
    public Uses? Without(Use use)
    {
        if (many is not null) return many.Remove(use) ? this : null;
        return only.Node is not null && only.Is(use.Node, use.Input) ? default(Uses) : null;
    }

    public IEnumerator<Use> GetEnumerator() => many?.GetEnumerator() ?? Enumerable.Repeat(only, Count).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>Several places: a constant may be read at a hundred thousand, and lose them one by one.</summary>
/// <param name="first">The first.</param>
internal sealed class UseList(Use first) : IReadOnlyList<Use>, IEqualityComparer<Use>
{
    private const int Few = 32;

    // Once there were many, those that are gone leave a gap until somebody looks, and it is known where each stands.
    private readonly List<Use> _uses = [first];
    private Dictionary<Use, int>? _places;
    private int _gaps;

    public int Count => _uses.Count - _gaps;

    public Use this[int index]
    {
        get
        {
            Close();
            return _uses[index];
        }
    }

    public void Add(Use use)
    {
        if (_places is not null) _places[use] = _uses.Count;
        _uses.Add(use);
    }

    /// <summary>Takes out one place, and says whether it was there.</summary>
    public bool Remove(Use use)
    {
        if (_places is null && _uses.Count > Few) Number();
        // A subgraph may read a value several times: only the last of its places has been noted.
        if (_places is null || !_places.Remove(use, out var index)) index = _uses.FindIndex(other => Equals(other, use));
        if (index < 0) return false;
        if (_places is null)
        {
            _uses.RemoveAt(index);
            return true;
        }

        _uses[index] = default;
        if (++_gaps * 2 > _uses.Count) Close();
        return true;
    }

    public IEnumerator<Use> GetEnumerator()
    {
        Close();
        return _uses.GetEnumerator();
    }

    // Nodes are compared by content otherwise.
    public bool Equals(Use x, Use y) => ReferenceEquals(x.Node, y.Node) && x.Input == y.Input;

    public int GetHashCode(Use use) => HashCode.Combine(RuntimeHelpers.GetHashCode(use.Node), use.Input);

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private void Close()
    {
        if (_gaps == 0) return;
        _uses.RemoveAll(use => use.Node is null);
        _gaps = 0;
        Number();
    }

    private void Number()
    {
        _places = new(_uses.Count, this);
        for (var i = 0; i < _uses.Count; i++) _places[_uses[i]] = i;
    }
}
