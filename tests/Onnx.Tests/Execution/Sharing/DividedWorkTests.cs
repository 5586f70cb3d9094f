using MlNetBatchNorm.Onnx.Execution.Sharing;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

public sealed class DividedWorkTests
{
    [Fact]
    public void Run_AnyNumberOfParts_DoesEachOnce()
    {
        var work = new Counting(workers: 4);

        for (var parts = 0; parts < 300; parts++)
        {
            var done = work.Run(parts);
            Assert.Equal(parts, done.Length);
            Assert.All(done, times => Assert.Equal(1, times));
        }
    }

    [Fact]
    public void Run_NeverGivesTwoThreadsTheSameNumber()
    {
        var work = new Counting(workers: 3);

        for (var run = 0; run < 200; run++) work.Run(20);

        Assert.False(work.Met);
    }

    [Fact]
    public void Run_WhileAllThreadsOfThePoolAreBusy_IsDoneByTheCaller()
    {
        var release = new TaskCompletionSource();
        for (var i = 0; i < 64; i++) ThreadPool.UnsafeQueueUserWorkItem(_ => release.Task.Wait(), null);

        var done = new Counting(workers: 2).Run(50);

        Assert.All(done, times => Assert.Equal(1, times));
        release.SetResult();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    public void Run_PartThatFails_IsTheCallersFailureAndTheNextRunIsWhole(int failing)
    {
        var work = new Counting(workers: 2) { Failing = failing };

        var exception = Assert.Throws<InvalidOperationException>(() => work.Run(50));
        work.Failing = -1;

        Assert.Equal($"part {failing}", exception.Message);
        Assert.All(work.Run(50), times => Assert.Equal(1, times));
    }

    private sealed class Counting(int workers) : DividedWork(workers)
    {
        private readonly int[] _inside = new int[8];
        private int[] _done = [];

        public int Failing { get; set; } = -1;

        public bool Met { get; private set; }

        public int[] Run(int parts)
        {
            _done = new int[parts];
            DoAll(parts, _inside.Length);
            return _done;
        }

        protected override void Do(int part, int worker)
        {
            if (Interlocked.Increment(ref _inside[worker]) != 1) Met = true;
            try
            {
                if (part == Failing) throw new InvalidOperationException($"part {part}");
                Thread.SpinWait(50);
                Interlocked.Increment(ref _done[part]);
            }
            finally
            {
                Interlocked.Decrement(ref _inside[worker]);
            }
        }
    }
}
