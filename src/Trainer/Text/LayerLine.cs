using System.Globalization;
using System.Text;

namespace MlNetBatchNorm.Trainer;

/// <summary>A line of a network's text while it is written: the counterpart of <see cref="LayerStatement"/>.</summary>
internal sealed class LayerLine(string keyword)
{
    private readonly StringBuilder _text = new(keyword);

    public LayerLine Value(int value) => Append(value.ToString(CultureInfo.InvariantCulture));

    public LayerLine Value(float value) => Append(value.ToString("R", CultureInfo.InvariantCulture));

    public LayerLine Sizes(IReadOnlyList<int> sizes) => sizes.All(size => size == sizes[0])
        ? Value(sizes[0])
        : Append(string.Join('x', sizes.Select(size => size.ToString(CultureInfo.InvariantCulture))));

    /// <summary>An option, unless it has the value that it has anyway.</summary>
    public LayerLine Whole(string name, int? value, int? otherwise) =>
        value == otherwise ? this : Append(string.Create(CultureInfo.InvariantCulture, $"{name}={value}"));

    public LayerLine Number(string name, float value, float otherwise) =>
        value.Equals(otherwise) ? this : Append(string.Create(CultureInfo.InvariantCulture, $"{name}={value:R}"));

    public LayerLine Flag(string name, bool? value, bool? otherwise) => value == otherwise ? this : Append($"{name}={(value!.Value ? "yes" : "no")}");

    public LayerLine Option(string name, string? value) => value is null ? this : Append($"{name}={value}");

    public override string ToString() => _text.ToString();

    private LayerLine Append(string word)
    {
        _text.Append(' ').Append(word);
        return this;
    }
}
