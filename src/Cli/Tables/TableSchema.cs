using MlNetBatchNorm.Trainer.Data;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>What <see cref="TableSchema.Infer"/> cannot know from the table itself.</summary>
internal sealed record TableSchemaOptions
{
    /// <summary>
    /// Columns to treat as categories even if all their values are numbers (codes, say), or are hardly ever the same.
    /// </summary>
    public IReadOnlyList<string> Categorical { get; init; } = [];

    /// <summary>Columns to take as free text, whose words are features, whatever they look like.</summary>
    public IReadOnlyList<string> Text { get; init; } = [];

    /// <summary>Columns to make no features from.</summary>
    public IReadOnlyList<string> Ignore { get; init; } = [];

    /// <summary>A column whose equal values stayed together when rows were held back; no feature is made from it. Null = none.</summary>
    public string? Group { get; init; }

    /// <summary>
    /// A column of times by which the latest rows were held back; no categories are made from it, as later rows have others. Null = none.
    /// </summary>
    public string? Time { get; init; }

    /// <summary>
    /// A column with a weight from 0 for each row, from which no feature is made; null (the default) = all rows count the same.
    /// </summary>
    public string? Weight { get; init; }

    /// <summary>Which number of a date is the day, where dates leave it open; null (the default) = what the column says.</summary>
    public DateOrder? DateOrder { get; init; }

    /// <summary>How numbers are written, where the table leaves it open. Default: nothing is said.</summary>
    public NumberMarks Marks { get; init; } = NumberMarks.None;

    /// <summary>Whether columns of numbers that are the same in every row stay. Default: false, they can tell nothing.</summary>
    public bool KeepConstants { get; init; }

    /// <summary>The positive class of a binary label; null to choose it by name or rarity. Not used for the other tasks.</summary>
    public string? Positive { get; init; }

    /// <summary>
    /// A column with more categories than this is embedded: one feature, the number of the category. At least 2; 100 unless set.
    /// </summary>
    public int MaxCategories { get; init; } = 100;
}

/// <summary>What a training table means: its label, the features made from its other columns, and what was found on the way.</summary>
internal sealed class TableSchema
{
    private TableSchema(
        LabelMap label, FeatureMap features, IReadOnlyList<ColumnReport> reports, string? weightColumn, NumberFormat weightNumbers)
    {
        WeightColumn = weightColumn;
        WeightNumbers = weightNumbers;
        Label = label;
        Features = features;
        Reports = reports;
    }

    /// <summary>How the label column becomes the number that is learned.</summary>
    public LabelMap Label { get; }

    /// <summary>
    /// How the other columns become the feature vector: in the order of the table; where there are very many numbers, these first.
    /// </summary>
    public FeatureMap Features { get; }

    /// <summary>The column with the weights of the rows, or null.</summary>
    public string? WeightColumn { get; }

    /// <summary>How the weights are written.</summary>
    public NumberFormat WeightNumbers { get; }

    /// <summary>What became of each column, in the order of the table.</summary>
    public IReadOnlyList<ColumnReport> Reports { get; }

    /// <summary>
    /// Works out the schema of a training table. A column whose values are all numbers is numeric, with the mean for missing values; a
    /// column of dates is taken apart into numbers and the day of the week; any other is categorical, with a category of its own for
    /// missing values if there are any, and embedded where the categories are many; of free text the words are features.
    /// Columns without variance, and other texts that hardly repeat, are dropped; <see cref="Reports"/> says so.
    /// </summary>
    /// <param name="table">The training table.</param>
    /// <param name="label">The column to predict.</param>
    /// <param name="task">What kind of prediction.</param>
    /// <param name="options">What the table itself cannot tell; null for the defaults.</param>
    /// <exception cref="TableException">
    /// A column that was named is not there; the label does not fit the task; a column of numbers has a few texts or an infinity; or no
    /// column is left to make features from.
    /// </exception>
    public static TableSchema Infer(CsvTable table, string label, LearningTask task, TableSchemaOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentException.ThrowIfNullOrEmpty(label);
        options ??= new();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxCategories, 2, nameof(options));

        var numbers = TableNumbers.Infer(table, options.Marks);
        var (labelMap, labelReport) = LabelMap.Infer(table, label, task, options.Positive, numbers);
        RequireFeatureColumns(table, label, options.Categorical, "taken as categories");
        RequireFeatureColumns(table, label, options.Text, "taken as text");
        RequireFeatureColumns(table, label, options.Ignore, "ignored");
        if (options.Group is { } group) RequireFeatureColumns(table, label, [group], "taken as groups");
        RequireFeatureColumns(table, string.Empty, [.. options.Marks.Columns], "written otherwise");
        if (options.Weight is { } weight) RequireFeatureColumns(table, label, [weight], "taken as weights");

        var features = new List<FeatureColumn>();
        var reports = new List<ColumnReport>();
        var dates = new List<DateColumn>();
        string?[] spokenFor = [options.Group, options.Weight, .. options.Ignore, .. options.Categorical, .. options.Text];
        foreach (var column in table.Columns)
        {
            if (column.Name == label)
            {
                reports.Add(labelReport);
                continue;
            }

            string? problem = null;
            if (!spokenFor.Contains(column.Name) && TableDates.Infer(table, column, options, out problem) is { } date)
            {
                FeatureColumn[] parts = [.. InferParts(table, date)];
                dates.Add(date);
                features.AddRange(parts);
                var missing = Enumerable.Range(0, column.Count).Count(column.IsMissing);
                reports.Add(new(
                    column.Name, ColumnKind.Date, date.Describe(date.LastOf(table)), missing, parts.Sum(part => part.FeatureCount), []));
                continue;
            }

            var (feature, report) = ColumnInference.Infer(table, column, numbers[column], options);
            reports.Add(report with { Problem = problem ?? report.Problem });
            if (feature is not null)
                features.Add(feature);
        }

        if (features.Count == 0)
        {
            var others = reports.Where(report => report.Kind != ColumnKind.Label).ToList();
            var reason = others.Count == 0
                ? "; the table has no other."
                : $" ({NameList.Of(others.Select(report => $"{report.Name}: {report.Detail}"), 10)}).";
            throw new TableException($"{table.FilePath}: no column is left to predict {NameList.Quote(label)} from{reason}");
        }

        // Of very many, ML.NET makes one vector of those that stand side by side.
        if (features.OfType<NumericFeature>().Skip(FeatureTransforms.ManyNumbers).Any())
            features = [.. features.OrderBy(feature => feature is not NumericFeature)];
        var weightNumbers = options.Weight is null ? NumberFormat.Plain : numbers[table.Column(options.Weight)].Format;
        return new(labelMap, new(features, labelMap.Numbers, dates), reports, options.Weight, weightNumbers);
    }

    private static IEnumerable<FeatureColumn> InferParts(CsvTable table, DateColumn date)
    {
        var parts = table.WithOnly([.. date.Read(table)]);
        foreach (var part in date.Parts)
        {
            var (feature, _) = ColumnInference.Infer(
                parts, parts.Column(part.Name), new ColumnNumbers(NumberFormat.Plain), new TableSchemaOptions { KeepConstants = true });
            if (feature is not null) yield return feature;
        }
    }

    /// <summary>The rows of a table as features and targets, for training or testing without ML.NET.</summary>
    /// <param name="table">A table with the columns of the training table, the label among them.</param>
    /// <exception cref="TableException">A column is missing, or a cell cannot be used; the message names file, row and column.</exception>
    public TrainingData ToRows(CsvTable table)
    {
        ArgumentNullException.ThrowIfNull(table);
        return ToRows([table], table.RowCount);
    }

    /// <summary>The same of a table that comes in blocks of rows.</summary>
    /// <param name="blocks">The blocks.</param>
    /// <param name="count">How many rows they have, as far as is known.</param>
    /// <param name="memory">How much memory features may take, in bytes; null = half of what is free. Of more, they are in a file.</param>
    /// <param name="unknown">Told of categories that no row to learn from has.</param>
    /// <exception cref="TableException">As for <see cref="ToRows(CsvTable)"/>.</exception>
    public TrainingData ToRows(
        IEnumerable<CsvTable> blocks, int? count = null, long? memory = null, Action<UnknownValues>? unknown = null)
    {
        var (features, outputs) = (new FeatureRows.Builder(Features.FeatureCount, count, budget: memory), 1);
        var (targets, weights) = (new List<float>(), WeightColumn is null ? null : new List<float>());
        foreach (var table in blocks)
        {
            if (table.Find(Label.Column) is null)
                throw new TableException(
                    $"{table.FilePath}: there is no label column '{Label.Column}' to test against; its columns are {table.ColumnNames}.");
            (var answers, outputs) = Label.Task.ToTargets(Label.Encode(table), Label.Classes.Count);
            targets.AddRange(answers);
            var encoder = Features.Bind(table);
            encoder.AddTo(features);
            foreach (var values in encoder.UnknownValues) unknown?.Invoke(values);
            if (RowWeights.Read(table, WeightColumn, WeightNumbers) is not { } some) weights = null;
            else weights?.AddRange(some);
        }

        return new TrainingData(
            new SampleShape(Features.FeatureCount),
            outputs,
            features.Build(),
            [.. targets],
            weights is null ? null : [.. weights],
            Label.Offset);
    }

    /// <summary>As what the cells of a column are best read where rows are gone through once.</summary>
    public Func<string, CellReading> Readings()
    {
        var features = Features.Readings();
        return name => name == Label.Column
            ? (Label.Task.HasClasses ? CellReading.Text : FeatureBinding.ReadingOf(Label.Numbers))
            : name == WeightColumn ? FeatureBinding.ReadingOf(WeightNumbers) : features(name);
    }

    private static void RequireFeatureColumns(CsvTable table, string label, IReadOnlyList<string> names, string use)
    {
        foreach (var name in names)
        {
            if (name == label)
                throw new TableException($"{table.FilePath}: column {NameList.Quote(name)} is the label and cannot be {use}.");
            _ = table.Column(name);
        }
    }
}
