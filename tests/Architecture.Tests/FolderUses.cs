using System.Text.RegularExpressions;
using Mono.Cecil;
using Mono.Cecil.Cil;

namespace MlNetBatchNorm.Architecture.Tests;

/// <summary>
/// Which folder of a project uses which: types are placed in folders by where the source declares them, and what a type uses is read in the
/// compiled assembly, so that a name in a comment or a property that is called like a type counts for nothing.
/// </summary>
public sealed partial class FolderUses
{
    private readonly Dictionary<(string From, string To), SortedSet<string>> _uses = [];

    private FolderUses()
    {
    }

    /// <summary>Pairs of folders of which the first uses the second, with up to some examples (<c>type → type</c>).</summary>
    public IReadOnlyDictionary<(string From, string To), SortedSet<string>> All => _uses;

    /// <summary>Pairs that use each other, each once.</summary>
    public IEnumerable<(string One, string Other)> TwoWay =>
        _uses.Keys.Where(pair => string.CompareOrdinal(pair.From, pair.To) < 0 && _uses.ContainsKey((pair.To, pair.From)));

    /// <summary>Reads a project.</summary>
    /// <param name="project">The folder of its sources; files beside the project file itself are the folder ".".</param>
    /// <param name="assembly">What was built from them.</param>
    public static FolderUses Of(string project, string assembly)
    {
        var result = new FolderUses();
        var folders = Declarations(project);
        using var module = ModuleDefinition.ReadModule(assembly);
        foreach (var type in module.GetTypes())
        {
            if (FolderOf(type, folders) is not { } from) continue;
            foreach (var used in Used(type))
            {
                if (used.Scope != module || FolderOf(used, folders) is not { } to || to == from) continue;
                if (!result._uses.TryGetValue((from, to), out var examples))
                    result._uses[(from, to)] = examples = new(StringComparer.Ordinal);
                examples.Add($"{Outermost(type).Name} → {Outermost(used).Name}");
            }
        }

        return result;
    }

    /// <summary>The sources of a project, generated ones left out.</summary>
    public static IEnumerable<string> Sources(string project) =>
        Directory.EnumerateFiles(project, "*.cs", SearchOption.AllDirectories)
            .Where(path => !path.Split(Path.DirectorySeparatorChar).Any(part => part is "obj" or "bin")).Order(StringComparer.Ordinal);

    // A name that two folders declare (a type with and without type parameters, say) goes by its number of parameters.
    private static Dictionary<string, string> Declarations(string project)
    {
        var folders = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var path in Sources(project))
        {
            var folder = Path.GetRelativePath(project, Path.GetDirectoryName(path)!).Replace('\\', '/');
            foreach (Match match in Declaration().Matches(File.ReadAllText(path)))
            {
                var parameters = match.Groups["parameters"].Success
                    ? match.Groups["parameters"].Value.Count(letter => letter == ',') + 1
                    : 0;
                folders[parameters == 0 ? match.Groups["name"].Value : $"{match.Groups["name"].Value}`{parameters}"] = folder;
            }
        }

        return folders;
    }

    private static string? FolderOf(TypeReference type, Dictionary<string, string> folders) =>
        folders.GetValueOrDefault(Outermost(type).Name);

    private static TypeReference Outermost(TypeReference type)
    {
        while (type.DeclaringType is { } outer) type = outer;
        return type;
    }

    private static IEnumerable<TypeReference> Used(TypeDefinition type)
    {
        IEnumerable<TypeReference?> found =
        [
            type.BaseType,
            .. type.Interfaces.Select(item => item.InterfaceType),
            .. type.CustomAttributes.Select(item => item.AttributeType),
            .. type.GenericParameters.SelectMany(parameter => parameter.Constraints).Select(constraint => constraint.ConstraintType),
            .. type.Fields.Select(field => field.FieldType),
            .. type.Methods.SelectMany(Used),
        ];
        return found.OfType<TypeReference>().SelectMany(Parts);
    }

    private static IEnumerable<TypeReference?> Used(MethodDefinition method) =>
    [
        method.ReturnType,
        .. method.Parameters.Select(parameter => parameter.ParameterType),
        .. method.GenericParameters.SelectMany(parameter => parameter.Constraints).Select(constraint => constraint.ConstraintType),
        .. method.HasBody ? method.Body.Variables.Select(variable => variable.VariableType) : [],
        .. method.HasBody ? method.Body.ExceptionHandlers.Select(handler => handler.CatchType) : [],
        .. method.HasBody ? method.Body.Instructions.SelectMany(Used) : [],
    ];

    private static IEnumerable<TypeReference?> Used(Instruction instruction) => instruction.Operand switch
    {
        TypeReference type => [type],
        FieldReference field => [field.DeclaringType, field.FieldType],
        GenericInstanceMethod method =>
            [
                method.DeclaringType, method.ReturnType, .. method.GenericArguments,
                .. method.Parameters.Select(parameter => parameter.ParameterType),
            ],
        MethodReference method =>
            [method.DeclaringType, method.ReturnType, .. method.Parameters.Select(parameter => parameter.ParameterType)],
        _ => [],
    };

    // List<Layer[]> is about Layer.
    private static IEnumerable<TypeReference> Parts(TypeReference type) => type switch
    {
        GenericInstanceType generic => [generic.ElementType, .. generic.GenericArguments.SelectMany(Parts)],
        FunctionPointerType function => [function.ReturnType, .. function.Parameters.Select(parameter => parameter.ParameterType)],
        IModifierType modified => [.. Parts(modified.ElementType), .. Parts(modified.ModifierType)],
        TypeSpecification inner => Parts(inner.ElementType),
        GenericParameter => [],
        _ => [type],
    };

    [GeneratedRegex(
        @"^(?:\[[^\n]*\]\s*)?(?:public|internal|file)\s(?:(?:static|sealed|abstract|readonly|ref|partial|unsafe)\s)*"
        + @"(?:class|record struct|record|struct|enum|interface|delegate [\w<>\[\]?., ]+?)\s(?<name>\w+)(?:<(?<parameters>[^>]*)>)?",
        RegexOptions.Multiline)]
    private static partial Regex Declaration();
}
