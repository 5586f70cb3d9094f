using MlNetBatchNorm.Cli.Assessment;

namespace MlNetBatchNorm.Cli.Tests.Assessment;

/// <summary>Which columns of tens of thousands are measured, found without looking at each.</summary>
public class ColumnImportancesTests
{
    [Fact]
    public void Costliest_FewOfManyMatter_FindsThemInFewLooks()
    {
        const int Count = 50_000, Wanted = 40;
        var random = new Random(3);
        var costs = new double[Count];
        for (var i = 0; i < Count; i++) costs[i] = 1e-6 * random.NextDouble();
        int[] matter = [0, 7, 8, 1250, 1251, 24_999, 31_000, 31_005, 49_998, 49_999];
        foreach (var i in matter) costs[i] = 1 + random.NextDouble();
        var looks = 0;

        var found = ColumnImportances.Costliest(Count, Wanted, Wanted, (first, count) =>
        {
            looks++;
            return costs.Skip(first).Take(count).Sum();
        });

        Assert.Equal(Wanted, found.Length);
        Assert.Equal(found.Order(), found);
        Assert.All(matter, i => Assert.Contains(i, found));
        Assert.InRange(looks, Wanted, 25 * Wanted);
    }

    [Fact]
    public void Costliest_EachByItself_FindsThoseThatCostMost()
    {
        double[] costs = [.. Enumerable.Range(0, 300).Select(i => Math.Sin(i * i))];

        var found = ColumnImportances.Costliest(costs.Length, costs.Length, 40, (first, count) => costs.Skip(first).Take(count).Single());

        Assert.Equal(costs.OrderDescending().Take(40).Order(), found.Select(i => costs[i]).Order());
    }
}
