namespace MlNetBatchNorm.Cli.Tables;

/// <summary>A table cannot be used. The message is one line that names the file, the line or column, and what to do about it.</summary>
internal sealed class TableException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What is wrong, where, and what to do.</param>
    /// <param name="innerException">The failure underneath, if any.</param>
    public TableException(string message, Exception? innerException = null)
        : base(message?.ReplaceLineEndings(" "), innerException) // A text quoted from the table may have line breaks.
    {
    }
}
