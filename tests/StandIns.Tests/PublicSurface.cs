using System.Reflection;
using System.Text.RegularExpressions;

namespace MlNetBatchNorm.StandIns.Tests;

/// <summary>A public type as text: its heading, what it derives from and implements, and its public and protected members, one a line.</summary>
internal sealed record PublicType(string Heading, IReadOnlyList<string> Bases, string Constraints, IReadOnlyList<string> Members)
{
    /// <summary>"sealed class N.T&lt;X&gt; : A, B where X : class" taken apart; the commas between type arguments part nothing.</summary>
    public static PublicType Parse(string line, IReadOnlyList<string> members)
    {
        var where = line.StartsWith("delegate ", StringComparison.Ordinal) ? -1 : line.IndexOf(" where ", StringComparison.Ordinal);
        var constraints = where < 0 ? "" : line[where..];
        var head = where < 0 ? line : line[..where];
        var colon = head.StartsWith("delegate ", StringComparison.Ordinal) ? -1 : head.IndexOf(" : ", StringComparison.Ordinal);
        var bases = colon < 0 ? [] : Regex.Split(head[(colon + 3)..], ", (?![^<]*>)");
        return new PublicType(colon < 0 ? head : head[..colon], bases, constraints, members);
    }
}

/// <summary>The public surface of assemblies, read off them or off the text files that list that of ML.NET.</summary>
internal static class PublicSurface
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    /// <summary>By heading. A heading starts in the first column of a line, a member two columns further right.</summary>
    public static Dictionary<string, PublicType> Read(IEnumerable<string> lines)
    {
        var types = new Dictionary<string, PublicType>();
        var members = new List<string>();
        foreach (var line in lines.Where(l => l.Length > 0))
        {
            if (line[0] == ' ')
            {
                members.Add(line.Trim());
                continue;
            }
            var type = PublicType.Parse(line, members = []);
            types.Add(type.Heading, type);
        }
        return types;
    }

    public static IEnumerable<string> Describe(IEnumerable<Type> types) => types.Where(IsVisible).SelectMany(type =>
        type.IsEnum || typeof(Delegate).IsAssignableFrom(type) ? [Heading(type), .. EnumMembers(type)]
            : new[] { Heading(type) + Bases(type) + Signature.Constraints(type.GetGenericArguments()) }
                .Concat(type.GetMembers(Declared).Select(m => Signature.Of(m, type)).OfType<string>().Select(m => "  " + m)));

    /// <summary>What the one surface has and the other lacks, in words. Of what derives from what, having less is no fault.</summary>
    public static IEnumerable<string> Missing(Dictionary<string, PublicType> ours, Dictionary<string, PublicType> theirs)
    {
        foreach (var (heading, type) in ours)
        {
            if (!theirs.TryGetValue(heading, out var real))
            {
                yield return $"type: {heading}";
                continue;
            }
            foreach (var excess in type.Bases.Except(real.Bases))
                yield return $"{heading} : {excess}";
            if (type.Constraints != real.Constraints)
                yield return $"{heading}{type.Constraints} instead of{real.Constraints}";
            foreach (var member in type.Members.Except(real.Members))
                yield return $"{heading}: {member}";
        }
    }

    private static bool IsVisible(Type type)
        => type.IsNested ? (type.IsNestedPublic || type.IsNestedFamily || type.IsNestedFamORAssem) && IsVisible(type.DeclaringType!) : type.IsPublic;

    private static string Heading(Type type)
    {
        if (typeof(Delegate).IsAssignableFrom(type))
        {
            var invoke = type.GetMethod("Invoke")!;
            return $"delegate {Signature.Name(invoke.ReturnType)} {Signature.Name(type)}({Signature.Parameters(invoke)})";
        }
        var kind = type.IsInterface ? "interface" : type.IsEnum ? "enum" : type.IsValueType ? "struct"
            : type is { IsAbstract: true, IsSealed: true } ? "static class" : type.IsAbstract ? "abstract class" : type.IsSealed ? "sealed class" : "class";
        return $"{kind} {Signature.Name(type)}";
    }

    private static string Bases(Type type)
    {
        var interfaces = type.GetInterfaces().Where(i => IsVisible(i.IsGenericType ? i.GetGenericTypeDefinition() : i)).Select(Signature.Name);
        var parent = type.BaseType is { } b && b != typeof(object) && b != typeof(ValueType) ? [Signature.Name(b)] : Array.Empty<string>();
        var all = parent.Concat(interfaces.Order(StringComparer.Ordinal)).ToArray();
        return all.Length == 0 ? "" : $" : {string.Join(", ", all)}";
    }

    private static IEnumerable<string> EnumMembers(Type type) => !type.IsEnum ? []
        : type.GetFields(BindingFlags.Public | BindingFlags.Static).Select(f => $"  {f.Name} = {Convert.ToInt64(f.GetRawConstantValue())}");
}
