using Microsoft.Extensions.Options;
using MlNetBatchNorm.Hosting;

namespace ScoringApi;

/// <summary>
/// Scores the rows of requests, and those of requests that came together in one run of the model. Nobody waits for company: while a run is
/// free a request goes at once, on its own thread; while all are at work, what comes is kept, and the next run that is free takes all of
/// it, up to <see cref="Limits.JoinedRows"/>. So the busier the service, the larger the runs.
/// </summary>
internal sealed class JoinedScoring(IOnnxScorer scorer, IOptions<Limits> options, ScoringTelemetry telemetry)
{
    private readonly Limits _limits = options.Value;
    private readonly int _mostRuns = options.Value.ParallelRuns == 0 ? Environment.ProcessorCount : options.Value.ParallelRuns;
    private readonly Lock _gate = new();
    private readonly Queue<Job> _waiting = [];
    private int _waitingRows;
    private int _runs;

    /// <summary>Scores rows.</summary>
    /// <param name="rows">
    /// The rows one behind the other, in each the inputs one behind the other; they stay as they are until the answer is there.
    /// </param>
    /// <param name="count">How many.</param>
    /// <param name="cancellation">Whoever asked has gone.</param>
    /// <returns>The numbers, as <see cref="IOnnxScorer.ScoreBatch"/> lays them, and the model that gave them.</returns>
    /// <exception cref="BusyException">Too many rows wait already, or these waited too long.</exception>
    /// <exception cref="AnswerException">An answer is not a finite number.</exception>
    public async Task<(float[] Result, LoadedModelInfo Model)> ScoreAsync(float[] rows, int count, CancellationToken cancellation)
    {
        using var activity = ScoringTelemetry.Begin(count);
        var job = new Job(rows, count, new float[count * scorer.Model.ResultLength]);
        LoadedModelInfo model;
        if (Enter(job))
        {
            try
            {
                model = Run(job);
            }
            finally
            {
                Leave();
            }
        }
        else
        {
            try
            {
                model = await job.Answer.Task.WaitAsync(_limits.Wait, cancellation);
            }
            catch (TimeoutException)
            {
                throw telemetry.Refuse(new BusyException($"No run was free within {_limits.Wait.TotalSeconds:0.##} s."));
            }
            finally
            {
                job.IsAbandoned = true;
            }
        }

        activity?.SetTag("scoring.run.rows", job.RunRows);
        AnswerException.ThrowIfNotFinite(model, job.Result, count);
        return (job.Result, model);
    }

    // Whether there is a run for the job at once; else it is kept.
    private bool Enter(Job job)
    {
        lock (_gate)
        {
            if (_runs < _mostRuns)
            {
                _runs++;
                return true;
            }

            if (_waitingRows + job.Count > _limits.WaitingRows && _waitingRows > 0)
                throw telemetry.Refuse(new BusyException($"{_waitingRows} rows are waiting, and no more than {_limits.WaitingRows} may."));
            _waiting.Enqueue(job);
            _waitingRows += job.Count;
        }

        telemetry.Waiting(job.Count);
        return false;
    }

    // The run that ends is the next one's, if anybody waits: on another thread, since this one has an answer to write.
    private void Leave()
    {
        lock (_gate)
        {
            if (_waiting.Count == 0)
            {
                _runs--;
                return;
            }
        }

        ThreadPool.UnsafeQueueUserWorkItem(static joined => joined.RunWaiting(), this, preferLocal: false);
    }

    private void RunWaiting()
    {
        var jobs = new List<Job>();
        while (Take(jobs))
        {
            if (jobs.Count == 1)
                Answer(jobs[0]);
            else if (jobs.Count > 1)
                AnswerTogether(jobs);
        }
    }

    private bool Take(List<Job> jobs)
    {
        var (rows, left) = (0, 0);
        jobs.Clear();
        lock (_gate)
        {
            if (_waiting.Count == 0)
            {
                _runs--;
                return false;
            }

            while (_waiting.TryPeek(out var next) && (rows == 0 || rows + next.Count <= _limits.JoinedRows))
            {
                _waiting.Dequeue();
                left += next.Count;
                if (next.IsAbandoned) continue;
                jobs.Add(next);
                rows += next.Count;
            }

            _waitingRows -= left;
        }

        telemetry.Waiting(-left);
        return true;
    }

    private void Answer(Job job)
    {
        try
        {
            job.Answer.SetResult(Run(job));
        }
        catch (Exception exception)
        {
            job.Answer.SetException(exception);
        }
    }

    private void AnswerTogether(List<Job> jobs)
    {
        var count = jobs.Sum(job => job.Count);
        var rows = new float[jobs.Sum(job => job.Rows.Length)];
        var result = new float[jobs.Sum(job => job.Result.Length)];
        var start = 0;
        foreach (var job in jobs)
        {
            job.Rows.CopyTo(rows, start);
            start += job.Rows.Length;
        }

        LoadedModelInfo model;
        try
        {
            model = scorer.ScoreBatch(ByInput(rows, count), count, result);
        }
        catch (Exception)
        {
            // Whatever was wrong with one request is no fault of the others.
            jobs.ForEach(Answer);
            return;
        }

        telemetry.Ran(count);
        var first = 0;
        foreach (var job in jobs)
        {
            var place = 0;
            foreach (var output in model.Outputs)
            {
                var all = model.Read(output.Name, result, count);
                var width = all.Length / count;
                all.Slice(first * width, job.Count * width).CopyTo(job.Result.AsSpan(place));
                place += job.Count * width;
            }

            first += job.Count;
            job.RunRows = count;
            job.Answer.SetResult(model);
        }
    }

    private LoadedModelInfo Run(Job job)
    {
        var model = job.Count == 1 ? scorer.Score(job.Rows, job.Result) : scorer.ScoreBatch(ByInput(job.Rows, job.Count), job.Count, job.Result);
        job.RunRows = job.Count;
        telemetry.Ran(job.Count);
        return model;
    }

    // A scorer wants every row of the first input, then every row of the second; for one input that is the same.
    private float[] ByInput(float[] rows, int count)
    {
        if (scorer.Model.Inputs.Count <= 1) return rows;
        var arranged = new float[rows.Length];
        var (place, first, length) = (0, 0, rows.Length / count);
        foreach (var input in scorer.Model.Inputs)
        {
            var width = (int)input.Shape.Skip(1).Aggregate(1L, (product, size) => product * size.Size!.Value);
            for (var row = 0; row < count; row++, place += width)
                rows.AsSpan((row * length) + first, width).CopyTo(arranged.AsSpan(place));
            first += width;
        }

        return arranged;
    }

    private sealed class Job(float[] rows, int count, float[] result)
    {
        public float[] Rows => rows;

        public int Count => count;

        public float[] Result => result;

        public TaskCompletionSource<LoadedModelInfo> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int RunRows { get; set; }

        // Nobody waits for it any more; whoever takes it from the queue leaves it alone.
        public volatile bool IsAbandoned;
    }
}

/// <summary>The service has no room at the moment: whoever asked may try again a little later.</summary>
internal sealed class BusyException(string message) : Exception(message);

/// <summary>An answer that is not a finite number, and so none: the row is beyond what the model computes with.</summary>
internal sealed class AnswerException(string message) : Exception(message)
{
    public static void ThrowIfNotFinite(LoadedModelInfo model, float[] result, int count)
    {
        var place = Array.FindIndex(result, value => !float.IsFinite(value));
        if (place < 0) return;
        foreach (var output in model.Outputs)
        {
            var values = model.Read(output.Name, result, count);
            if (place < values.Length)
                throw new AnswerException(
                    $"The model's answer '{output.Name}' to row {place / (values.Length / count)} is {values[place]}: the row's numbers "
                    + "are beyond what it computes with.");
            place -= values.Length;
        }
    }
}
