using MlNetBatchNorm.Onnx;


namespace MlNetBatchNorm.Hosting;

/// <summary>
/// A model and the count of those who use it: the holder, from the start, and each call while it runs. The last one to leave disposes of
/// it.
/// </summary>
internal sealed class LoadedModel(OnnxScorer scorer, LoadedModelInfo model)
{
    private int _users = 1;

    public OnnxScorer Scorer => scorer;

    public LoadedModelInfo Model => model;

    /// <summary>Counts the caller in, unless everybody has left already.</summary>
    public bool TryEnter()
    {
        var users = Volatile.Read(ref _users);
        while (users > 0)
        {
            var found = Interlocked.CompareExchange(ref _users, users + 1, users);
            if (found == users) return true;
            users = found;
        }

        return false;
    }

    public void Leave()
    {
        if (Interlocked.Decrement(ref _users) == 0) scorer.Dispose();
    }
}
