namespace MlNetBatchNorm.Trainer;

/// <summary>How gradients become new parameters.</summary>
public abstract record Optimizer
{
    private readonly float _baseLearningRate;

    /// <summary>Creates an optimizer.</summary>
    /// <param name="learningRate">The step size; above 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is not above 0.</exception>
    protected Optimizer(float learningRate)
    {
        if (learningRate is not (> 0 and < float.PositiveInfinity))
            throw new ArgumentOutOfRangeException(nameof(learningRate), learningRate, "A learning rate is a finite number above 0.");
        _baseLearningRate = learningRate;
    }

    /// <summary>The step size.</summary>
    public float LearningRate => _baseLearningRate;

    /// <summary>Stochastic gradient descent: <c>v ← momentum·v + g</c>, <c>p ← p − learningRate·v</c> (as PyTorch; g includes weight decay·p).</summary>
    /// <param name="learningRate">The step size. Default: 0.1.</param>
    /// <param name="momentum">From 0 (the default) to below 1.</param>
    /// <param name="weightDecay">Added to the gradient of weights (not of gamma, beta and biases), times the weight. Default: 0.</param>
    public static Optimizer Sgd(float learningRate = 0.1f, float momentum = 0, float weightDecay = 0) =>
        new SgdOptimizer(learningRate, momentum, weightDecay, nesterov: false);

    /// <summary>
    /// Nesterov's accelerated gradient as deep learning writes it (Sutskever et al. 2013, section 2, in the form of PyTorch):
    /// <c>v ← momentum·v + g</c>, <c>p ← p − learningRate·(g + momentum·v)</c>.
    /// </summary>
    /// <param name="learningRate">The step size. Default: 0.1.</param>
    /// <param name="momentum">Above 0, below 1. Default: 0.9.</param>
    /// <param name="weightDecay">Added to the gradient of weights (not of gamma, beta and biases), times the weight. Default: 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range.</exception>
    public static Optimizer Nesterov(float learningRate = 0.1f, float momentum = 0.9f, float weightDecay = 0) => momentum > 0
        ? new SgdOptimizer(learningRate, momentum, weightDecay, nesterov: true)
        : throw new ArgumentOutOfRangeException(nameof(momentum), momentum, "Nesterov's momentum is above 0 and below 1; without momentum, use Sgd.");

    /// <summary>Adam (Kingma and Ba 2015, arXiv 1412.6980, Algorithm 1).</summary>
    /// <param name="learningRate">The step size. Default: 1e-3.</param>
    /// <param name="beta1">Decay of the mean gradient. Default: 0.9.</param>
    /// <param name="beta2">Decay of the mean squared gradient. Default: 0.999.</param>
    /// <param name="epsilon">Added to the root of the mean square. Default: 1e-8.</param>
    public static Optimizer Adam(float learningRate = 1e-3f, float beta1 = 0.9f, float beta2 = 0.999f, float epsilon = 1e-8f) =>
        new AdamOptimizer(learningRate, beta1, beta2, epsilon, 0);

    /// <summary>Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101, Algorithm 2) on weights only.</summary>
    /// <param name="learningRate">The step size. Default: 1e-3.</param>
    /// <param name="weightDecay">Each step shrinks weights by <c>learningRate·weightDecay</c>. Default: 0.01.</param>
    /// <param name="beta1">Decay of the mean gradient. Default: 0.9.</param>
    /// <param name="beta2">Decay of the mean squared gradient. Default: 0.999.</param>
    /// <param name="epsilon">Added to the root of the mean square. Default: 1e-8.</param>
    public static Optimizer AdamW(
        float learningRate = 1e-3f, float weightDecay = 0.01f, float beta1 = 0.9f, float beta2 = 0.999f, float epsilon = 1e-8f) =>
        new AdamOptimizer(learningRate, beta1, beta2, epsilon, weightDecay);

    /// <summary>Reads a name, in any case: sgd, sgd:MOMENTUM, nesterov, nesterov:MOMENTUM, adam or adamw.</summary>
    /// <param name="text">The name.</param>
    /// <param name="learningRate">The step size; null = the optimizer's own default.</param>
    /// <param name="weightDecay">The weight decay; null = the optimizer's own default.</param>
    /// <exception cref="FormatException">Another name, or a weight decay for Adam, which has none (AdamW has).</exception>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public static Optimizer Parse(string text, float? learningRate = null, float? weightDecay = null) => Choice.Read(text) switch
    {
        ("sgd", []) => Sgd(learningRate ?? 0.1f, 0, weightDecay ?? 0),
        ("sgd", [var momentum]) => Sgd(learningRate ?? 0.1f, (float)momentum, weightDecay ?? 0),
        ("nesterov", []) => Nesterov(learningRate ?? 0.1f, weightDecay: weightDecay ?? 0),
        ("nesterov", [var momentum]) => Nesterov(learningRate ?? 0.1f, (float)momentum, weightDecay ?? 0),
        ("adam", []) when weightDecay is null or 0 => Adam(learningRate ?? 1e-3f),
        ("adam", []) => throw new FormatException("Adam has no weight decay; use adamw."),
        ("adamw", []) => AdamW(learningRate ?? 1e-3f, weightDecay ?? 0.01f),
        var other => throw other.Unknown("an optimizer", "sgd[:MOMENTUM], nesterov[:MOMENTUM], adam or adamw"),
    };

    /// <summary>Emits the update of every parameter.</summary>
    /// <param name="graph">The end of the training step.</param>
    public abstract void Emit(UpdateGraph graph);
}
