namespace MlNetBatchNorm.Trainer;

/// <summary>Remembers the best validation loss and says when too many epochs have gone by without a better one.</summary>
internal sealed class EarlyStopping(int patience)
{
    private double _best = double.PositiveInfinity;
    private int _since;

    public bool ShouldStop => patience > 0 && _since >= patience;

    public bool IsBest(double loss)
    {
        if (loss < _best)
        {
            _best = loss;
            _since = 0;
            return true;
        }

        _since++;
        return false;
    }
}
