using System.Data.Common;
using System.Reflection;
using System.Runtime.Loader;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>The rows that a database gives for a query, through any ADO.NET provider, which is loaded from its file.</summary>
internal static class QueryTable
{
    private const string Name = "the query";

    /// <summary>Runs a query; values become the texts that a table has for them.</summary>
    /// <param name="query">The query.</param>
    /// <param name="provider">The provider's assembly, with what it needs beside it.</param>
    /// <param name="connection">The connection string.</param>
    /// <exception cref="TableException">The provider cannot be loaded, the query fails, or a column is none of a table's.</exception>
    public static CsvSource Open(string query, string provider, string connection)
    {
        using var database = Factory(provider).CreateConnection()
            ?? throw new TableException($"{provider}: this provider makes no connections.");
        try
        {
            database.ConnectionString = connection;
            database.Open();
            using var command = database.CreateCommand();
            command.CommandText = query;
            command.CommandTimeout = 0; // A query for training may take its time.
            using var rows = command.ExecuteReader();
            return CsvSource.OfRows(Name, csv =>
            {
                var names = new string[rows.FieldCount];
                for (var i = 0; i < names.Length; i++) names[i] = rows.GetName(i);
                if (names.Length == 0) throw new TableException($"{Name} gives no rows; --sql takes one that selects some.");
                csv.WriteHeader(names);
                for (var row = 1L; rows.Read(); row++)
                {
                    for (var i = 0; i < names.Length; i++)
                    {
                        var (number, column) = (row, names[i]);
                        var text = TypedCell.Text(rows.GetValue(i), () => $"{Name}, row {number}, column {NameList.Quote(column)}");
                        csv.WriteField(text ?? string.Empty);
                    }

                    csv.EndRecord();
                }
            });
        }
        catch (Exception e) when (e is DbException or InvalidOperationException or ArgumentException or DllNotFoundException)
        {
            throw new TableException($"{Name} failed: {e.Message}", e);
        }
    }

    private static DbProviderFactory Factory(string provider)
    {
        var path = Path.GetFullPath(provider);
        if (!File.Exists(path))
            throw new TableException(
                $"{provider}: there is no such file; --provider names the assembly of an ADO.NET provider, as Npgsql.dll, with what it "
                + "needs beside it ('dotnet publish' of a project that references its package puts it there).");
        try
        {
            var assembly = new ProviderContext(path).LoadFromAssemblyPath(path);
            var factory = assembly.GetExportedTypes()
                .Where(type => type.IsSubclassOf(typeof(DbProviderFactory)) && !type.IsAbstract)
                .Select(type => type.GetField("Instance", BindingFlags.Public | BindingFlags.Static)?.GetValue(null))
                .OfType<DbProviderFactory>().FirstOrDefault();
            return factory
                ?? throw new TableException($"{provider}: there is no ADO.NET provider in it (a DbProviderFactory with an Instance).");
        }
        catch (Exception e) when (e is BadImageFormatException or IOException or ReflectionTypeLoadException or TargetInvocationException)
        {
            throw new TableException($"{provider}: cannot be loaded: {(e.InnerException ?? e).Message}", e);
        }
    }

    // What the provider needs is beside it, libraries of the system's own kind included.
    private sealed class ProviderContext(string path) : AssemblyLoadContext("database")
    {
        private const string Suffix = ".deps.json";

        private readonly AssemblyDependencyResolver _resolver = new(Component(path));

        protected override Assembly? Load(AssemblyName name)
        {
            if (_resolver.ResolveAssemblyToPath(name) is { } resolved) return LoadFromAssemblyPath(resolved);
            var beside = Path.Combine(Path.GetDirectoryName(path)!, name.Name + ".dll");
            return File.Exists(beside) ? LoadFromAssemblyPath(beside) : null;
        }

        protected override nint LoadUnmanagedDll(string name) =>
            _resolver.ResolveUnmanagedDllToPath(name) is { } resolved ? LoadUnmanagedDllFromPath(resolved) : 0;

        // Where each library is says the list of the provider, or else of the program that it was built for.
        private static string Component(string path) => Directory.EnumerateFiles(Path.GetDirectoryName(path)!, "*" + Suffix)
            .Select(list => list[..^Suffix.Length] + ".dll")
            .Where(File.Exists)
            .OrderByDescending(component => component == path).ThenBy(component => component, StringComparer.Ordinal)
            .FirstOrDefault(path);
    }
}
