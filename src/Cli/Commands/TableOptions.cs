using System.CommandLine;
using System.CommandLine.Parsing;
using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary>Where a table comes from: files, or a query of a database.</summary>
internal sealed class TableOptions
{
    /// <summary>Holds the connection string where it should not stand in a command.</summary>
    public const string ConnectionVariable = "MLNETBN_CONNECTION";

    private readonly Option<string?> _query = new("--sql")
    {
        Description = "a query whose rows are the table, in place of DATA",
        HelpName = "QUERY",
    };

    private readonly Option<string?> _provider = new("--provider")
    {
        Description = "with --sql: the assembly of an ADO.NET provider, as Npgsql.dll, with what it needs beside it",
        HelpName = "FILE.dll",
    };

    private readonly Option<string?> _connection = new("--connection")
    {
        Description = $"with --sql: the connection string [default: the variable {ConnectionVariable}, which nobody else sees]",
        HelpName = "STRING",
    };

    /// <param name="purpose">What the rows are for.</param>
    public TableOptions(string purpose) => Files = new Argument<string[]>("DATA")
    {
        Description = $"{purpose}: CSV, TSV or Parquet, packed by gzip or not, - for stdin; several files with the same columns, or a "
            + "pattern",
        Arity = ArgumentArity.ZeroOrMore,
    };

    /// <summary>The files.</summary>
    public Argument<string[]> Files { get; }

    /// <summary>The options.</summary>
    public IReadOnlyList<Option> All => [_query, _provider, _connection];

    /// <summary>Adds what is wrong with them.</summary>
    public void Validate(CommandResult result)
    {
        var hasQuery = result.GetResult(_query) is not null;
        if (hasQuery == result.GetResult(Files)?.Tokens.Count > 0)
            result.AddError(
                hasQuery
                    ? "The table comes from --sql or from DATA, not from both."
                    : "Which table? Give DATA, a file or several, or --sql with a query of a database.");
        if (hasQuery && result.GetResult(_provider) is null)
            result.AddError("--sql needs --provider, the assembly of an ADO.NET provider, as Npgsql.dll.");
        if (!hasQuery && (result.GetResult(_provider) ?? result.GetResult(_connection)) is not null)
            result.AddError("--provider and --connection go with --sql.");
    }

    /// <summary>The files, as they were given; of a query there are none.</summary>
    public string[] Paths(ParseResult arguments) => arguments.GetValue(Files) ?? [];

    /// <summary>Opens the table.</summary>
    /// <exception cref="TableException">It cannot be read.</exception>
    public CsvSource Open(ParseResult arguments) => arguments.GetValue(_query) is { } query
        ? QueryTable.Open(
            query,
            arguments.GetValue(_provider)!,
            arguments.GetValue(_connection) ?? Environment.GetEnvironmentVariable(ConnectionVariable) ?? string.Empty)
        : JoinedTables.Open(Paths(arguments));
}
