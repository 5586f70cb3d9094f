using System.Globalization;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Cli.Reproduction;

/// <summary>
/// Something that papers tell about batch normalization, to be seen: <c>mlnetbn reproduce NAME</c>. An experiment is a file with a subclass
/// and its line in <see cref="All"/>; the command with its options, the page, the files and what is printed come from here. It says what
/// came out, whatever that is, and claims no more.
/// </summary>
internal abstract class Experiment
{
    /// <summary>All of them, in the order of the help.</summary>
    public static IReadOnlyList<Experiment> All { get; } =
    [
        new MnistExperiment(), new FashionExperiment(), new Figure1Experiment(), new LayersExperiment(), new LandscapeExperiment(),
        new DepthExperiment(), new BiasExperiment(), new MomentumExperiment(), new BatchSizeExperiment(), new DropoutExperiment(),
    ];

    /// <summary>The name, one word in lower case.</summary>
    public abstract string Name { get; }

    /// <summary>What it does, in a line of the help.</summary>
    public abstract string Description { get; }

    /// <summary>The headline of its page.</summary>
    public abstract string Title { get; }

    /// <summary>What it is made of, in a paragraph for who does not know the paper; the paper is named.</summary>
    public abstract string Introduction { get; }

    /// <summary>Its data; null = it makes them itself.</summary>
    public virtual ExperimentData? Data => null;

    /// <summary>Its own options; <c>--out</c>, <c>--seed</c>, <c>--quick</c> and, where there are any, <c>--data</c> all have.</summary>
    public virtual IReadOnlyList<ExperimentOption> Options => [];

    /// <summary>
    /// Does it: under 10 minutes on two cores, with <see cref="ExperimentRun.IsQuick"/> under one. What comes out goes into the run.
    /// </summary>
    public abstract void Run(ExperimentRun run);
}

/// <summary>What an experiment learns from.</summary>
/// <param name="Description">What it is, and where it comes from.</param>
/// <param name="HelpName">What stands for it in the help.</param>
/// <param name="Default">Where it is if nothing is said.</param>
/// <param name="Require">Called with the place, before any work; its exception says what is missing and how to get it.</param>
internal sealed record ExperimentData(string Description, string HelpName, string Default, Action<string> Require)
{
    /// <summary>The MNIST digits (<see cref="MnistFiles"/>).</summary>
    public static ExperimentData Mnist { get; } = new(
        "the folder with the four MNIST files, plain or with .gz; scripts/mnist.sh fetches them",
        "DIR",
        "data/mnist",
        folder =>
        {
            if (!Directory.Exists(folder))
                throw new DirectoryNotFoundException(
                    $"There is no folder '{folder}' with the MNIST digits: run scripts/mnist.sh, which fetches them to data/mnist, or "
                    + "give --data.");
        });

    /// <summary>The letters of the repository, as a table.</summary>
    public static ExperimentData Letters { get; } = new(
        "the table of letters, which comes with the repository",
        "FILE",
        "sample-data/letters.csv",
        path =>
        {
            if (!File.Exists(path))
                throw new TableException(
                    $"'{path}': there is no such file; it is sample-data/letters.csv of the repository: give its place with --data.");
        });

    /// <summary>The letters: every fifth row is for testing, the others are to learn from.</summary>
    public static (TrainingData Training, TrainingData Test) ReadLetters(string path)
    {
        var (training, test) = TableSplit.Every(CsvTable.Read(path), 0.2);
        var schema = TableSchema.Infer(training, "lettr", LearningTask.Multiclass);
        return (schema.ToRows(training), schema.ToRows(test));
    }

    /// <summary>
    /// The same as a network is to see them (<see cref="SteppedTraining"/>): each feature with mean 0 and variance 1 over the rows to learn
    /// from, as <see cref="TrainingOptions.StandardizeFeatures"/> has it.
    /// </summary>
    public static (TrainingData Training, TrainingData Test) ReadStandardizedLetters(string path)
    {
        var (training, test) = ReadLetters(path);
        var standardization = Standardization.Fit(training, new TrainingOptions().FeatureClip);
        return (standardization.Apply(training), standardization.Apply(test));
    }
}

/// <summary>An option of an experiment's own.</summary>
/// <param name="Name">Its name, as <c>--epochs</c>.</param>
/// <param name="HelpName">What stands for its value in the help.</param>
/// <param name="Description">What it is.</param>
internal abstract record ExperimentOption(string Name, string HelpName, string Description)
{
    /// <summary>Reads a value.</summary>
    /// <exception cref="FormatException">It is none; the message says what was expected.</exception>
    public abstract object Read(string text);

    /// <summary>A whole number.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it is.</param>
    /// <param name="value">What it is where it is not given.</param>
    /// <param name="quick">The same with <c>--quick</c>.</param>
    /// <param name="least">The least that it may be.</param>
    /// <param name="most">The most.</param>
    public static ExperimentOption<int> Number(string name, string description, int value, int quick, int least, int most) => new(
        name,
        "N",
        string.Create(CultureInfo.InvariantCulture, $"{description} [default: {value}; with --quick {quick}]"),
        value,
        quick,
        text => !int.TryParse(text, CultureInfo.InvariantCulture, out var number)
            ? throw new FormatException($"'{text}' is no whole number, which {name} needs.")
            : number >= least && number <= most
            ? number
            : throw new FormatException(
                string.Create(CultureInfo.InvariantCulture, $"{name} is {number}, but must be from {least} to {most}.")));

    /// <summary>Whole numbers above 0 with commas between them.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="helpName">What stands for them in the help.</param>
    /// <param name="description">What they are.</param>
    /// <param name="values">What they are where the option is not given.</param>
    /// <param name="quick">The same with <c>--quick</c>.</param>
    public static ExperimentOption<IReadOnlyList<int>> Numbers(
        string name, string helpName, string description, IReadOnlyList<int> values, IReadOnlyList<int> quick) => new(
        name,
        helpName,
        $"{description}, as 5,10 [default: {string.Join(',', values)}; with --quick {string.Join(',', quick)}]",
        values,
        quick,
        text => [.. text.Split(',', StringSplitOptions.TrimEntries).Select(part =>
            int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0
                ? number
                : throw new FormatException($"'{text}' is no list for {name}; write positive numbers with commas, as 5,10."))]);

    /// <summary>Learning rates with commas between them.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="description">What they are.</param>
    /// <param name="values">What they are where the option is not given.</param>
    /// <param name="quick">The same with <c>--quick</c>.</param>
    public static ExperimentOption<IReadOnlyList<float>> Rates(
        string name, string description, IReadOnlyList<float> values, IReadOnlyList<float> quick) => new(
        name,
        "RATES",
        $"{description}, as 0.1,1 [default: {List(values)}; with --quick {List(quick)}]",
        values,
        quick,
        text => [.. text.Split(',', StringSplitOptions.TrimEntries).Select(part =>
            float.TryParse(part, CultureInfo.InvariantCulture, out var rate) && rate > 0 && float.IsFinite(rate)
                ? rate
                : throw new FormatException($"'{text}' is no list for {name}; write rates above 0 with commas, as 0.1,1."))]);

    private static string List(IEnumerable<float> values) =>
        string.Join(',', values.Select(value => value.ToString(CultureInfo.InvariantCulture)));
}

/// <summary>An option of an experiment with values of some type.</summary>
/// <param name="Name">Its name.</param>
/// <param name="HelpName">What stands for its value in the help.</param>
/// <param name="Description">What it is.</param>
/// <param name="Default">Its value where it is not given.</param>
/// <param name="Quick">The same with <c>--quick</c>.</param>
/// <param name="Parse">Reads a value; its <see cref="FormatException"/> is a usage error.</param>
internal sealed record ExperimentOption<T>(
    string Name, string HelpName, string Description, T Default, T Quick, Func<string, T> Parse)
    : ExperimentOption(Name, HelpName, Description)
    where T : notnull
{
    /// <inheritdoc/>
    public override object Read(string text) => Parse(text);
}
