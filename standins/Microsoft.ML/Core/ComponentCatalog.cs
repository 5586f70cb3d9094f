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
        internal ComponentCatalog() { }

        public void RegisterAssembly(Assembly assembly, bool throwOnError = true)
        {
            foreach (var type in _assemblies.Add(assembly) ? assembly.GetTypes() : [])
            {
                if (type.GetCustomAttribute<ExtensionBaseAttribute>() is { } extension)
                    _extensions.Add(extension.ContractName, type);
            }
        }

        internal object CreateExtension(string contractName) => _extensions.TryGetValue(contractName, out var type) ? Activator.CreateInstance(type)
            : throw new InvalidOperationException($"Unable to locate an extension for the contract '{contractName}'. "
                + "Ensure you have called ComponentCatalog.RegisterAssembly with the Assembly that contains the class.");
    }
}
