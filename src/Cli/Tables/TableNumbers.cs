using System.Globalization;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>How the user says that numbers are written, for the columns where the table leaves it open or is wrong.</summary>
/// <param name="DecimalMarks">The decimal mark of each column; of all others under the empty name.</param>
/// <param name="GroupMarks">What stands between thousands in each column, null for nothing; of all others under the empty name.</param>
internal sealed record NumberMarks(IReadOnlyDictionary<string, char> DecimalMarks, IReadOnlyDictionary<string, char?> GroupMarks)
{
    /// <summary>Nothing is said.</summary>
    public static NumberMarks None { get; } = new(new Dictionary<string, char>(), new Dictionary<string, char?>());

    /// <summary>The columns that something is said of.</summary>
    public IEnumerable<string> Columns => DecimalMarks.Keys.Concat(GroupMarks.Keys).Where(name => name.Length > 0);

    /// <summary>Whether something is said of a column.</summary>
    public bool Say(string column) => DecimalMarks.Keys.Concat(GroupMarks.Keys).Any(name => name == column || name.Length == 0);

    /// <summary>Whether a column may be written so.</summary>
    public bool Allow(string column, char decimalMark, char? groupMark)
    {
        var isMarkGiven = DecimalMarks.TryGetValue(column, out var mark) || DecimalMarks.TryGetValue(string.Empty, out mark);
        var isGroupGiven = GroupMarks.TryGetValue(column, out var group) || GroupMarks.TryGetValue(string.Empty, out group);
        return (!isMarkGiven || mark == decimalMark)
            && (!isGroupGiven || (group != decimalMark && (groupMark is null || groupMark == group)));
    }
}

/// <summary>How a column of a table is read as numbers.</summary>
/// <param name="Format">How they are written.</param>
/// <param name="Reading">What to tell whoever gave the table: an example, and why it is read so; null = that goes without saying.</param>
/// <param name="Problem">Why a column that looks like numbers is none, with an example; null = there is no such doubt.</param>
internal sealed record ColumnNumbers(NumberFormat Format, string? Reading = null, string? Problem = null);

/// <summary>
/// Finds out how the numbers of a table are written: for each column from all of its different texts; where these can be read in two ways,
/// from the numbers without a mark beside them, then from the other columns, and at last from what separates the fields.
/// </summary>
internal sealed class TableNumbers
{
    /// <summary>
    /// A column with this share of numbers was meant to have nothing else: its texts are mistakes, to be pointed out, not categories.
    /// </summary>
    public const double MostlyNumbers = 0.8;

    // More units than these are no units but texts that begin with a number, as addresses do.
    private const int MostUnits = 5;

    private static readonly (char Decimal, char? Group)[] Candidates =
        [('.', null), ('.', ','), ('.', '\''), ('.', ' '), (',', null), (',', '.'), (',', '\''), (',', ' ')];

    private readonly Dictionary<string, ColumnNumbers> _columns = [];

    private TableNumbers(CsvTable table, NumberMarks marks)
    {
        var found = table.Columns.Select(column => new Evidence(column, marks)).ToList();

        // What the columns say that can be read in one way only.
        var marksOf = found.Where(column => column is { IsNumeric: true, SureDecimal: not null })
            .ToLookup(column => column.SureDecimal!.Value);
        var usual = marksOf[','].Count().CompareTo(marksOf['.'].Count()) switch { > 0 => ',', < 0 => '.', _ => (char?)null };
        var (pointGroup, commaGroup) = (Groups('.'), Groups(','));
        foreach (var column in found)
            _columns.Add(column.Name, column.Decide(usual, mark => mark == ',' ? commaGroup : pointGroup, table.Separator));

        char? Groups(char decimalMark)
        {
            var groups = marksOf[decimalMark].Select(column => column.SureGroup).Where(group => group is not null).Distinct().ToList();
            return groups.Count == 1 ? groups[0] : null;
        }
    }

    /// <summary>How a column is read.</summary>
    public ColumnNumbers this[TableColumn column] => _columns[column.Name];

    /// <summary>Looks at a table.</summary>
    /// <param name="table">The table.</param>
    /// <param name="marks">What the user says; null = nothing.</param>
    public static TableNumbers Infer(CsvTable table, NumberMarks? marks = null) => new(table, marks ?? NumberMarks.None);

    /// <summary>What the texts of one column say.</summary>
    private sealed class Evidence
    {
        private readonly TableColumn _column;
        private readonly NumberMarks _marks;
        private readonly long[] _covered = new long[Candidates.Length];
        private readonly Dictionary<string, long> _units = [];
        private readonly List<double> _unmarked = [];
        private readonly List<(double AsDecimal, string Text)> _doubtful = [];
        private string? _inexact;
        private long _total;
        private long _numbers;
        private long _written;
        private long _bare;
        private bool _hasMark;
        private bool _endsInZero;

        public Evidence(TableColumn column, NumberMarks marks)
        {
            (_column, _marks) = (column, marks);
            if (column.Traits is { } traits && (traits.HasMark || !traits.HasDoubtful) && !marks.Say(Name)) Take(traits);
            else TakeTexts();

            var best = 0L;
            for (var i = 0; i < Candidates.Length; i++)
                if (marks.Allow(Name, Candidates[i].Decimal, Candidates[i].Group)) best = Math.Max(best, _covered[i]);
            IsNumeric = _total > 0 && best >= MostlyNumbers * _total;
            var fitting = Enumerable.Range(0, Candidates.Length)
                .Where(i => _covered[i] == best && marks.Allow(Name, Candidates[i].Decimal, Candidates[i].Group))
                .Select(i => Candidates[i]).ToList();
            Point = Of('.');
            Comma = Of(',');
            if (!_hasMark || (Point is not null && Comma is not null)) return;
            SureDecimal = Point is not null ? '.' : ',';
            SureGroup = (Point ?? Comma)?.Group;

            (char Decimal, char? Group)? Of(char mark) =>
                fitting.Where(candidate => candidate.Decimal == mark).Select(candidate => ((char, char?)?)candidate).FirstOrDefault();
        }

        public string Name => _column.Name;

        /// <summary>Whether it has hardly anything but numbers.</summary>
        public bool IsNumeric { get; }

        /// <summary>The decimal mark, where all of its numbers leave only one.</summary>
        public char? SureDecimal { get; }

        /// <summary>What stands between thousands, where there is such a mark and no doubt.</summary>
        public char? SureGroup { get; }

        private (char Decimal, char? Group)? Point { get; }

        private (char Decimal, char? Group)? Comma { get; }

        /// <summary>Decides.</summary>
        /// <param name="usual">The decimal mark of most columns; null = they do not say.</param>
        /// <param name="groupBeside">What stands between thousands in columns with a decimal mark; null = nothing, or several.</param>
        /// <param name="separator">What separates the fields.</param>
        public ColumnNumbers Decide(char? usual, Func<char, char?> groupBeside, char separator)
        {
            var unit = UnitOf(out var unitProblem);
            if (!IsNumeric || unitProblem is not null)
                return new ColumnNumbers(NumberFormat.Plain, Problem: LooksNumeric() ? Problem(unitProblem) : null);
            if (!_hasMark)
            {
                // No number has a mark: later ones are read as those of the other columns are.
                var mark = usual ?? (separator == ';' ? null : '.');
                var (mayBePoint, mayBeComma) = (_marks.Allow(Name, '.', null), _marks.Allow(Name, ',', null));
                if (mayBePoint != mayBeComma) mark = mayBePoint ? '.' : ',';
                var group = (mark == ',' ? Comma : Point)?.Group ?? (mark is { } known ? Beside(known) : null);
                return Read(new NumberFormat(mark, group, unit), null);
            }

            if (SureDecimal is { } sure) return Read(new NumberFormat(sure, SureGroup ?? Beside(sure), unit), null);

            var (chosen, reason) = Choose(usual, separator);
            return Read(new NumberFormat(chosen, (chosen == ',' ? Comma : Point)!.Value.Group, unit), reason);

            char? Beside(char mark) => groupBeside(mark) is { } group && _marks.Allow(Name, mark, group) ? group : null;
        }

        // '1,533' alone is 1533 or 1.533.
        private (char Decimal, string? Reason) Choose(char? usual, char separator)
        {
            // As many leave only a point as leave only a comma: whichever it is, the others are no numbers then, and said to be none.
            if (_doubtful.Count == 0) return (usual ?? (separator == ';' ? ',' : '.'), null);
            var mark = WrittenNumber.MarkOf(_doubtful[0].Text.First(character => WrittenNumber.MarkOf(character) is '.' or ','));
            var other = mark == '.' ? ',' : '.';

            // Beside 950, 1.234 is hardly less than that, and who writes 2.700 for 2.7 does not write 950 for 950.000; beside 3 it is
            // hardly a thousand times as much, unless there is 40 as well.
            if (_unmarked.Count > 0)
            {
                var apart = Median(_unmarked.Select(Math.Log10)) - Median(_doubtful.Select(number => Math.Log10(number.AsDecimal)));
                var reason = $"as its numbers without a mark are about {Plain(Median(_unmarked))}";
                var isThousands = apart >= 2 || (apart >= 1 && _endsInZero);
                if (isThousands && (_endsInZero || mark == ',' || separator == ';'))
                    return (other, reason);
                var isAmong = Math.Abs(apart) <= 0.5 && _unmarked.Max() <= 10 * _doubtful.Max(number => number.AsDecimal);
                if (isAmong) return (mark, mark == '.' ? null : reason);
            }

            if (usual is { } known) return (known, $"as most other columns have a decimal {(known == '.' ? "point" : "comma")}");
            return separator == ';'
                ? (',', "as where fields are separated by ';' numbers have a decimal comma")
                : ('.', mark == '.' ? null : $"as where fields are separated by {Named(separator)} numbers have a decimal point");
        }

        private ColumnNumbers Read(NumberFormat format, string? reason)
        {
            if (reason is not null && !_marks.Say(Name))
            {
                var doubtful = _doubtful[0].Text;
                _ = format.TryRead(doubtful, out var read);
                return new ColumnNumbers(
                    format,
                    $"is read {format}, {reason}: {NameList.Quote(doubtful)} is {Plain(read)} (--decimal-mark {Name}="
                    + $"{(format.DecimalMark == ',' ? '.' : ',')} reads it otherwise)");
            }

            // What any program would read alike goes without saying.
            var example = _inexact ?? (_hasMark ? _doubtful.Select(number => number.Text).FirstOrDefault() : null);
            var isUsual = _inexact is null && (format.DecimalMark != ',' || !_hasMark);
            if (isUsual || example is null || !format.TryRead(example, out var number)) return new ColumnNumbers(format);
            var bare = format.Unit is not null && _bare > 0 ? $"; {_bare} without {format.Unit} are taken as the same" : string.Empty;
            return new ColumnNumbers(format, $"is read {format}: {NameList.Quote(example)} is {Plain(number)}{bare}");
        }

        private void TakeTexts()
        {
            var rows = _column.CountRows();
            for (var code = 0; code < rows.Length; code++)
            {
                // Rows that are held back for the test count once: their texts, not how often they occur, say how numbers are written.
                var kind = _column.Values[code].Kind;
                if (kind != CellKind.Missing) Take(_column.Texts[code], kind, Math.Max(1, rows[code]));
            }
        }

        // Nothing but numbers, which a mark that leaves no doubt, or the lack of one, makes alike.
        private void Take(in NumberTraits traits)
        {
            if (!traits.HasNumbers) return;
            (_total, _numbers, _written, _bare, _hasMark, _inexact) = (1, 1, 1, 1, traits.HasMark, traits.Example);
            for (var i = 0; i < _covered.Length; i++)
                if (!traits.HasMark || Candidates[i].Decimal == traits.Mark) _covered[i] = 1;
        }

        private void Take(string text, CellKind kind, long rows)
        {
            _total += rows;
            if (kind == CellKind.Infinite)
            {
                _numbers += rows;
                for (var i = 0; i < _covered.Length; i++) _covered[i] += rows;
                _bare += rows;
                return;
            }

            if (kind == CellKind.Number && IsPlainDecimal(text))
            {
                // Most numbers by far: whatever stands between thousands elsewhere, this can only have a decimal point.
                for (var i = 0; i < _covered.Length; i++)
                    if (Candidates[i].Decimal == '.') _covered[i] += rows;
                (_numbers, _written, _bare, _hasMark) = (_numbers + rows, _written + rows, _bare + rows, true);
                return;
            }

            if (!WrittenNumber.TryTakeApart(text, out var written))
            {
                if (IsBound(text)) _written += rows;
                return;
            }

            var (fits, marked, point, comma, asDecimal) = (false, false, false, false, double.NaN);
            foreach (var character in written.Core) marked |= WrittenNumber.MarkOf(character) is '.' or ',';
            for (var i = 0; i < Candidates.Length; i++)
            {
                var (mark, group) = Candidates[i];
                if (!written.TryRead(mark, group, out var value)) continue;
                _covered[i] += rows;
                fits = true;
                (point, comma) = (point | mark == '.', comma | mark == ',');
                asDecimal = double.IsNaN(asDecimal) ? Math.Abs(value) : Math.Min(asDecimal, Math.Abs(value));
            }

            if (!fits) return;
            _numbers += rows;
            _written += rows;
            if (written.Unit is null) _bare += rows;
            else _units[written.Unit] = _units.GetValueOrDefault(written.Unit) + rows;
            _hasMark |= marked;
            if (marked && point && comma)
            {
                _doubtful.Add((asDecimal, text));
                _endsInZero |= written.Core[^1] == '0';
            }

            if (!marked && asDecimal > 0 && double.IsFinite(asDecimal)) _unmarked.Add(asDecimal);
            if (kind == CellKind.Text && (_inexact is null || (text.Length > _inexact.Length && text.Length <= 20))) _inexact = text;
        }

        private static bool IsPlainDecimal(ReadOnlySpan<char> text)
        {
            var digits = text is ['-', ..] ? text[1..] : text;
            var point = digits.IndexOf('.');
            return point >= 0 && (point is 0 or > 3 || digits[0] == '0' || digits.Length - point - 1 != 3)
                && digits[..point].IndexOfAnyExceptInRange('0', '9') < 0 && digits[(point + 1)..].IndexOfAnyExceptInRange('0', '9') < 0;
        }

        // Whether a column that is not taken as numbers was meant to be one.
        private bool LooksNumeric() => _total > 0 && _written >= MostlyNumbers * _total && _units.Count <= MostUnits
            && (_units.Count == 0 || _numbers > _units.Count);

        private string? UnitOf(out string? problem)
        {
            problem = null;
            if (_units.Count == 0) return null;
            var same = _units.GroupBy(unit => WrittenNumber.KeyOf(unit.Key))
                .Select(unit => (Name: unit.MaxBy(spelling => spelling.Value).Key, Rows: unit.Sum(spelling => spelling.Value)))
                .OrderByDescending(unit => unit.Rows).ToList();
            var (name, rows) = same[0];
            var isRequired = new NumberFormat(unit: name).RequiresUnit;

            // A few that differ are mistakes, which are pointed out where they stand.
            if (_bare >= MostlyNumbers * _numbers && (isRequired || same.Count > 1)) return null;
            if (rows + (isRequired ? 0 : _bare) >= MostlyNumbers * _numbers) return name;
            problem = same.Count > 1
                ? $"it has different units ({NameList.Of(same.Select(unit => unit.Name), MostUnits)})"
                : $"some have {name} and some have not";
            return null;
        }

        private string Problem(string? unitProblem)
        {
            var reason = unitProblem;
            if (reason is null && _marks.Say(Name)) reason = "its numbers do not have the marks that were asked for";
            reason ??= _written > _numbers ? "some are bounds or ranges" : "its numbers have different marks";
            var texts = _column.Texts.ToArray().Where(text => CellValue.Read(text).Kind != CellKind.Missing).ToList();
            var first = texts[0];
            var other = texts.Find(text => Differs(text, first)) ?? texts.Find(text => text != first);
            var examples = NameList.Of(new[] { first, other }.Where(text => text is not null).Select(text => NameList.Quote(text!)));
            return $"looks like numbers, but is not read as such: {reason}, as {examples}";
        }

        private static bool Differs(string text, string first)
        {
            if (!WrittenNumber.TryTakeApart(text, out var one) || !WrittenNumber.TryTakeApart(first, out var two))
                return IsBound(text) != IsBound(first);
            if (!one.HasUnit(two.Unit)) return true;
            foreach (var (mark, group) in Candidates)
                if (two.TryRead(mark, group, out _) && one.TryRead(mark, group, out _)) return false;
            return true;
        }

        // "<5" and "5+" are no numbers, but nearly.
        private static bool IsBound(string text) =>
            text.Length > 1 && (text[0] is '<' or '>' or '≤' or '≥' or '~' or '≈' or '±' || text[^1] == '+')
            && WrittenNumber.TryTakeApart(text.AsSpan().Trim("<>≤≥~≈±=+ "), out _);

        private static string Named(char separator) => separator switch { '\t' => "tabs", _ => $"'{separator}'" };

        private static string Plain(double number) => number.ToString("R", CultureInfo.InvariantCulture);

        private static double Median(IEnumerable<double> values)
        {
            var sorted = values.Order().ToArray();
            return sorted[sorted.Length / 2];
        }
    }
}
