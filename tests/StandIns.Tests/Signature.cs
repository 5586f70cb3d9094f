using System.Reflection;
using System.Runtime.CompilerServices;

namespace MlNetBatchNorm.StandIns.Tests;

/// <summary>Types, parameters and members as the lists of ML.NET's public surface write them.</summary>
internal static class Signature
{
    private static readonly Dictionary<Type, string> Keywords = new (Type Type, string Keyword)[]
    {
        (typeof(void), "void"), (typeof(object), "object"), (typeof(string), "string"), (typeof(bool), "bool"), (typeof(char), "char"),
        (typeof(sbyte), "sbyte"), (typeof(byte), "byte"), (typeof(short), "short"), (typeof(ushort), "ushort"), (typeof(int), "int"),
        (typeof(uint), "uint"), (typeof(long), "long"), (typeof(ulong), "ulong"), (typeof(float), "float"), (typeof(double), "double"),
    }.ToDictionary(k => k.Type, k => k.Keyword);

    public static string Name(Type type)
    {
        if (type.IsByRef)
            return Name(type.GetElementType()!);
        if (type.IsArray)
            return $"{Name(type.GetElementType()!)}[]";
        if (Nullable.GetUnderlyingType(type) is { } value)
            return $"{Name(value)}?";
        if (type.IsGenericParameter)
            return type.Name;
        if (Keywords.TryGetValue(type, out var keyword))
            return keyword;
        var arguments = type.GetGenericArguments().Skip(type.DeclaringType?.GetGenericArguments().Length ?? 0).Select(Name).ToArray();
        var name = type.Name.Split('`')[0] + (arguments.Length == 0 ? "" : $"<{string.Join(", ", arguments)}>");
        // The namespaces of the base library that a C# file has anyway are left out.
        return type.IsNested ? $"{Name(type.DeclaringType!)}.{name}"
            : type.Namespace is "System" or "System.Collections.Generic" ? name : $"{type.Namespace}.{name}";
    }

    public static string Parameters(MethodBase method)
    {
        var isExtension = method.IsDefined(typeof(ExtensionAttribute), false);
        return string.Join(", ", method.GetParameters().Select((p, i) => (isExtension && i == 0 ? "this " : "") + Parameter(p)));
    }

    public static string Constraints(IEnumerable<Type> parameters) => string.Concat(parameters.Select(p =>
    {
        var attributes = p.GenericParameterAttributes;
        var isStruct = attributes.HasFlag(GenericParameterAttributes.NotNullableValueTypeConstraint);
        string[] constraints =
        [
            .. attributes.HasFlag(GenericParameterAttributes.ReferenceTypeConstraint) ? ["class"] : Array.Empty<string>(),
            .. isStruct ? ["struct"] : Array.Empty<string>(),
            .. p.GetGenericParameterConstraints().Where(c => c != typeof(ValueType)).Select(Name),
            .. attributes.HasFlag(GenericParameterAttributes.DefaultConstructorConstraint) && !isStruct ? ["new()"] : Array.Empty<string>(),
        ];
        return constraints.Length == 0 ? "" : $" where {p.Name} : {string.Join(", ", constraints)}";
    }));

    /// <summary>Null of what nobody outside the assembly can use by name.</summary>
    public static string? Of(MemberInfo member, Type type) => member switch
    {
        ConstructorInfo { IsStatic: false } c when Access(c) is { } access => $"{access} .ctor({Parameters(c)})",
        MethodInfo { IsSpecialName: false } m when Access(m) is { } access => $"{access} {Modifiers(m, type)}{Name(m.ReturnType)} {m.Name}"
            + $"{Generic(m)}({Parameters(m)}){Constraints(m.IsGenericMethod ? m.GetGenericArguments() : [])}",
        PropertyInfo p => Property(p, type),
        FieldInfo f when f.IsPublic || f.IsFamily => $"{(f.IsPublic ? "public" : "protected")} {(f.IsLiteral ? "const " : f.IsStatic ? "static " : "")}"
            + $"{(f.IsInitOnly ? "readonly " : "")}{Name(f.FieldType)} {f.Name}",
        EventInfo e when Access(e.AddMethod!) is { } access => $"{access} event {Name(e.EventHandlerType!)} {e.Name}",
        _ => null,
    };

    private static string? Property(PropertyInfo property, Type type)
    {
        var accessors = new[] { property.GetMethod, property.SetMethod }.OfType<MethodInfo>().Where(a => Access(a) is not null).ToArray();
        if (accessors.Length == 0)
            return null;
        var index = property.GetIndexParameters();
        var name = index.Length == 0 ? property.Name : $"this[{string.Join(", ", index.Select(Parameter))}]";
        var bodies = string.Concat(accessors.Select(a => a == property.GetMethod ? "get; " : "set; "));
        return $"{Access(accessors[0])} {Modifiers(accessors[0], type)}{Name(property.PropertyType)} {name} {{ {bodies}}}";
    }

    private static string? Access(MethodBase method) => method.IsPublic ? "public" : method.IsFamily || method.IsFamilyOrAssembly ? "protected" : null;

    private static string Modifiers(MethodInfo method, Type type) => method.IsStatic ? "static " : type.IsInterface || !method.IsVirtual ? ""
        : method.GetBaseDefinition() != method ? "override " : method.IsAbstract ? "abstract " : method.IsFinal ? "" : "virtual ";

    private static string Generic(MethodInfo method)
        => method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(Name))}>" : "";

    private static string Parameter(ParameterInfo parameter)
    {
        var pass = parameter.IsOut ? "out " : parameter.ParameterType.IsByRef ? "ref " : parameter.IsDefined(typeof(ParamArrayAttribute)) ? "params " : "";
        return $"{pass}{Name(parameter.ParameterType)} {parameter.Name}{(parameter.IsOptional ? $" = {Default(parameter)}" : "")}";
    }

    private static string Default(ParameterInfo parameter) => parameter.DefaultValue switch
    {
        null => "default",
        string text => $"\"{text}\"",
        bool flag => flag ? "true" : "false",
        var value when parameter.ParameterType.IsEnum => Enum.GetName(parameter.ParameterType, value)!,
        var value => Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture)!,
    };
}
