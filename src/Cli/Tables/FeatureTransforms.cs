using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// A <see cref="FeatureMap"/> for ML.NET: raw columns of a table as data, and transforms of ML.NET's own that make the features of them, in
/// a pipeline that is saved or exported.
/// </summary>
internal static class FeatureTransforms
{
    // For fewer, the transforms of each column stay what they are called by.
    public const int ManyNumbers = 1000;

    /// <summary>
    /// The map as ML.NET's own transforms, from the raw columns of a <see cref="TableDataView"/> to the feature vector. They save with a
    /// model and convert to ONNX. All that they know is what the map says: they are fitted on rows that are made of it, not on the training
    /// table.
    /// </summary>
    /// <param name="map">The map.</param>
    /// <param name="ml">A context.</param>
    /// <param name="featuresColumn">The name of the feature vector. The raw columns are replaced by encoded ones.</param>
    public static ITransformer ToPipeline(this FeatureMap map, MLContext ml, string featuresColumn)
    {
        ArgumentNullException.ThrowIfNull(ml);
        ArgumentException.ThrowIfNullOrEmpty(featuresColumn);
        var columns = map.Columns;
        var table = new CsvTable("map", [.. columns.Select(column => new TableColumn(column.Name, [PrototypeOf(column)], [0]))], [1]);
        IDataView row = new TableDataView(table, map);
        var offsets = ToFloat32(ml, columns);
        if (offsets is not null) row = offsets.Transform(row);

        // One by one: a chain of estimators looks for each column in all of them first.
        var transforms = new List<ITransformer>();
        foreach (var (transform, rows) in ToTransforms(ml, columns, featuresColumn))
        {
            transforms.Add(transform.Fit(rows ?? row));
            row = transforms[^1].Transform(row);
        }

        var features = new TransformerChain<ITransformer>([.. transforms]);
        return offsets is null ? features : new TransformerChain<ITransformer>(offsets, features);
    }

    /// <summary>The type of a raw column.</summary>
    public static DataViewType RawType(this FeatureColumn column) => column switch
    {
        TextFeature words => new VectorDataViewType(NumberDataViewType.Single, words.FeatureCount),
        NumericFeature { Map.IsPlain: false } => NumberDataViewType.Double,
        NumericFeature => NumberDataViewType.Single,
        _ => TextDataViewType.Instance,
    };

    /// <summary>
    /// The raw column of a table: Single (Double where an offset is taken off) with NaN where missing, or Text with
    /// <see cref="CategoricalFeature.MissingText"/> where missing, or the vector of Single that free text becomes.
    /// </summary>
    /// <exception cref="TableException">A text cannot be a value of the column.</exception>
    public static ViewColumn View(this FeatureColumn feature, CsvTable table) => feature switch
    {
        NumericFeature numbers => View(numbers, table),
        CategoricalFeature categories => View(categories, table),
        TextFeature words => new WordsColumn(words, table.Column(words.Name)),
        _ => throw new ArgumentOutOfRangeException(nameof(feature), feature, "There is no such kind of column."),
    };

    private static ViewColumn View(NumericFeature feature, CsvTable table)
    {
        var (name, map, type) = (feature.Name, feature.Map, feature.RawType());
        var column = table.Column(name).ReadAs(feature.Format);
        if (column.Numbers is not null)
        {
            feature.RequireFinite(table, column);
            return map.IsPlain
                ? new NumberColumn<float>(name, type, row => map.Apply(column.NumberAt(row)))
                : new NumberColumn<double>(name, type, column.NumberAt);
        }

        var numbers = column.ReadNumbers(table, double.NaN);
        var values = Array.ConvertAll(numbers, map.Apply);
        feature.RequireFinite(table, column, values);
        return map.IsPlain
            ? new ViewColumn<float>(name, type, values, column.Codes)
            : new ViewColumn<double>(name, type, numbers, column.Codes);
    }

    private static ViewColumn<ReadOnlyMemory<char>> View(CategoricalFeature feature, CsvTable table)
    {
        var column = table.Column(feature.Name);
        var missing = feature.MissingText.AsMemory();
        var texts = new ReadOnlyMemory<char>[column.Texts.Length];
        for (var code = 0; code < texts.Length; code++)
            texts[code] = column.Values[code].Kind == CellKind.Missing ? missing : column.Texts[code].AsMemory();
        return new ViewColumn<ReadOnlyMemory<char>>(feature.Name, feature.RawType(), texts, column.Codes);
    }

    // A text that the column may have, from which the transforms learn what there is to learn: the mean of this row is the imputed value.
    private static string PrototypeOf(FeatureColumn column) => column switch
    {
        NumericFeature numbers => numbers.Format.Write(numbers.ImputedValue),
        CategoricalFeature categories => categories.MissingText,
        TextFeature => string.Empty,
        _ => throw new ArgumentOutOfRangeException(nameof(column), column, "There is no such kind of column."),
    };

    /// <summary>The transforms that make one column of features of raw columns, which they replace in place on the way.</summary>
    /// <remarks>
    /// Columns that are alike share one: every transform of a chain costs each row a step. Of so many numbers that what ML.NET does for
    /// each pair of columns would be felt, those that stand side by side become one vector first.
    /// </remarks>
    /// <param name="ml">A context.</param>
    /// <param name="columns">The columns.</param>
    /// <param name="featuresColumn">The column of the features.</param>
    /// <returns>Each with the rows that it learns from; null = the one that goes through all of them.</returns>
    private static IEnumerable<(IEstimator<ITransformer> Estimator, IDataView? Rows)> ToTransforms(
        MLContext ml, IReadOnlyList<FeatureColumn> columns, string featuresColumn)
    {
        var names = columns.Select(column => column.Name).ToHashSet();
        var parts = columns.Select(column => NameAsFeature(column, names)).ToList();
        string[] numbers = [.. columns.OfType<NumericFeature>().Select(column => column.Name)];
        if (numbers.Length > ManyNumbers)
        {
            var vectors = new List<string>();
            parts.Clear();
            for (var (first, next) = (0, 0); first < columns.Count; first = next)
            {
                next = first + 1;
                if (columns[first] is not NumericFeature)
                {
                    parts.Add(NameAsFeature(columns[first], names));
                    continue;
                }

                while (next < columns.Count && columns[next] is NumericFeature) next++;
                var name = next - first == columns.Count ? featuresColumn : $"{featuresColumn} {first + 1} to {next}";
                while (name != featuresColumn && names.Contains(name)) name += "'";
                yield return (
                    ml.Transforms.Concatenate(name, [.. columns.Skip(first).Take(next - first).Select(column => column.Name)]), null);
                vectors.Add(name);
                parts.Add(name);
            }

            numbers = [.. vectors];
        }

        if (numbers.Length > 0)
        {
            InputOutputColumnPair[] pairs = [.. numbers.Select(name => new InputOutputColumnPair(name))];
            yield return (ml.Transforms.ReplaceMissingValues(pairs, MissingValueReplacingEstimator.ReplacementMode.Mean), null);
        }

        foreach (var embedded in columns.OfType<EmbeddedFeature>())
        {
            var codes = embedded.AllCategories.Select((category, place) => KeyValuePair.Create(category, place + 1f));
            yield return (ml.Transforms.Conversion.MapValue(NameAsFeature(embedded, names), codes, embedded.Name), null);
        }

        // Keys in the order in which they come: a row for the first category of each column, one for the second, and so on.
        CategoricalFeature[] flags = [.. columns.OfType<CategoricalFeature>().Where(column => column is not EmbeddedFeature)];
        if (flags.Length > 0)
            yield return (
                ml.Transforms.Categorical.OneHotEncoding([.. flags.Select(column => new InputOutputColumnPair(column.Name))]),
                TableDataView.OfTexts([.. flags.Select(column => (column.Name, column.AllCategories))]));

        if (parts is not [var only] || only != featuresColumn)
            yield return (ml.Transforms.Concatenate(featuresColumn, [.. parts]), null);
    }

    /// <summary>
    /// What a column is called behind <see cref="ToTransforms"/>: as before, but for an embedded one, since ML.NET's converter makes a
    /// graph that reads a value of nobody's where MapValue replaces its own column.
    /// </summary>
    /// <param name="column">The column.</param>
    /// <param name="names">The names of all columns.</param>
    private static string NameAsFeature(FeatureColumn column, HashSet<string> names)
    {
        if (column is not EmbeddedFeature) return column.Name;
        var name = $"{column.Name} (number)";
        while (names.Contains(name)) name = $"({name})";
        return name;
    }

    /// <summary>
    /// The transforms that take offsets off in float64 before numbers become float32, in place, for the columns that have any; null where
    /// none has. They are fitted apart from the others: of the two rows of each column that say what they know, no mean may be taken.
    /// </summary>
    private static TransformerChain<ITransformer>? ToFloat32(MLContext ml, IReadOnlyList<FeatureColumn> columns)
    {
        NumericFeature[] mapped = [.. columns.OfType<NumericFeature>().Where(column => !column.Map.IsPlain)];
        if (mapped.Length == 0) return null;
        InputOutputColumnPair[] pairs = [.. mapped.Select(column => new InputOutputColumnPair(column.Name))];
        return ml.Transforms.NormalizeMinMax(pairs, fixZero: false)
            .Append<ITransformer>(ml.Transforms.Conversion.ConvertType(pairs, DataKind.Single))
            .Fit(TableDataView.OfNumbers([.. mapped.Select(column => (column.Name, column.Bounds))]));
    }
}
