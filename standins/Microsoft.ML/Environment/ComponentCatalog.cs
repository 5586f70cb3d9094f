using System.Reflection;

namespace Microsoft.ML
{
    [AttributeUsage(AttributeTargets.Class)]
    public abstract class ExtensionBaseAttribute : Attribute
    {
        private protected ExtensionBaseAttribute(string contractName) => ContractName = contractName;

        public string ContractName { get; }
    }
}

namespace Microsoft.ML.Runtime
{
    /// <summary>Finds the classes that a saved model names by contract.</summary>
    public sealed class ComponentCatalog
    {
        private readonly Dictionary<string, Type> _extensions = [];
        private readonly HashSet<Assembly> _assemblies = [];

        internal ComponentCatalog()
        {
        }

        public void RegisterAssembly(Assembly assembly, bool throwOnError = true)
        {
            ArgumentNullException.ThrowIfNull(assembly);
            if (!_assemblies.Add(assembly))
                return;
            foreach (var type in assembly.GetTypes().Where(t => t is { IsClass: true, IsAbstract: false }))
            {
                foreach (var extension in type.GetCustomAttributes<ExtensionBaseAttribute>())
                {
                    if (!_extensions.TryAdd(extension.ContractName, type) && throwOnError)
                        throw new InvalidOperationException($"Two classes have the contract '{extension.ContractName}'.");
                }
            }
        }

        internal object CreateExtension(string contractName)
            => _extensions.TryGetValue(contractName, out var type)
                ? Activator.CreateInstance(type)
                : throw new InvalidOperationException($"Unable to locate an extension for the contract '{contractName}'. "
                    + "Ensure you have called ComponentCatalog.RegisterAssembly with the Assembly that contains the class.");
    }
}
