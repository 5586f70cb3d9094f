using System.Diagnostics;
using System.Runtime.Versioning;
using MlNetBatchNorm.Cli.Tests;
using MlNetBatchNorm.Onnx.Files;

namespace MlNetBatchNorm.Onnx.Tests.Files;

public sealed class AtomicFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mlnetbn-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Write_Succeeds_ReplacesTheFile()
    {
        var path = In("file.txt");
        AtomicFile.WriteText(path, "old");
        AtomicFile.WriteText(path, "new");
        Assert.Equal("new", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(_folder));
    }

    [Fact]
    public void Write_FailsHalfWay_LeavesTheOldFileAndNothingElse()
    {
        var path = In("file.txt");
        AtomicFile.WriteText(path, "old");
        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(path, stream =>
        {
            stream.Write("half"u8);
            throw new InvalidOperationException();
        }));
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(_folder));
    }

    [Fact]
    public void Write_EachStepFailsOnce_LeavesTheOldFileAndNothingElse()
    {
        var path = In("file.txt");
        AtomicFile.WriteText(path, "old");
        var failed = 0;
        while (true)
        {
            AtomicFile.Layer = new FailingLayer(failAt: failed + 1);
            try
            {
                AtomicFile.Write(path, stream =>
                {
                    for (var part = 0; part < 5; part++) stream.Write("part"u8);
                });
                break;
            }
            catch (IOException)
            {
                failed++;
            }

            Assert.Equal("old", File.ReadAllText(path));
            Assert.Equal([path], Directory.GetFiles(_folder));
        }

        // Making it, five writes, flushing, renaming.
        Assert.Equal(8, failed);
        Assert.Equal("partpartpartpartpart", File.ReadAllText(path));
    }

    [UnixTheory]
    [InlineData("target.txt", "link.txt", "target.txt")]
    [InlineData("target.txt", "link.txt", "./inner/../target.txt")]
    [InlineData("target.txt", "inner/link.txt", "../target.txt")]
    [InlineData("target.txt", "away/link.txt", "../../target.txt")]
    public void Write_ThroughALink_KeepsItAndReplacesItsTarget(string target, string link, string leadsTo)
    {
        // "away" leads to a folder two levels down: what ".." means there is not what it says.
        Directory.CreateDirectory(In("inner/deep"));
        File.CreateSymbolicLink(In("away"), "inner/deep");
        File.WriteAllText(In(target), "old");
        File.CreateSymbolicLink(In(link), leadsTo);
        File.CreateSymbolicLink(In("second.txt"), link);

        AtomicFile.WriteText(In("second.txt"), "new");

        Assert.Equal("new", File.ReadAllText(In(target)));
        Assert.Equal(leadsTo, new FileInfo(In(link)).LinkTarget);
        Assert.Equal(link, new FileInfo(In("second.txt")).LinkTarget);
    }

    [UnixTheory]
    [InlineData("nowhere.txt")]
    public void Write_ThroughALinkThatLeadsNowhere_MakesItsTarget(string target)
    {
        File.CreateSymbolicLink(In("link.txt"), target);
        AtomicFile.WriteText(In("link.txt"), "new");
        Assert.Equal("new", File.ReadAllText(In(target)));
        Assert.Equal(target, new FileInfo(In("link.txt")).LinkTarget);

        File.CreateSymbolicLink(In("one.txt"), "other.txt");
        File.CreateSymbolicLink(In("other.txt"), "one.txt");
        Assert.Contains(
            "leads nowhere", Assert.Throws<IOException>(() => AtomicFile.WriteText(In("one.txt"), "x")).Message, StringComparison.Ordinal);
    }

    [UnixTheory]
    [InlineData("600")]
    [InlineData("640")]
    [InlineData("444")]
    [InlineData("755")]
    [UnsupportedOSPlatform("windows")]
    public void Write_OverAFile_KeepsItsPermissions(string octal)
    {
        var (path, mode) = (In("file.txt"), (UnixFileMode)Convert.ToInt32(octal, 8));
        File.WriteAllText(path, "old");
        File.SetUnixFileMode(path, mode);
        AtomicFile.Write(path, stream =>
        {
            // Nor is it open to anybody while it is written.
            if (mode == (UnixFileMode.UserRead | UnixFileMode.UserWrite))
                Assert.All(Directory.GetFiles(_folder), file => Assert.Equal(mode, File.GetUnixFileMode(file)));
            stream.Write("new"u8);
        });
        Assert.Equal(mode, File.GetUnixFileMode(path));
        Assert.Equal("new", File.ReadAllText(path));
    }

    [UnixTheory]
    [InlineData("12345:54321")]
    public void Write_OverAnotherOnesFile_KeepsItsOwner(string owner)
    {
        // Only root can give files away.
        if (Environment.UserName != "root") return;
        File.WriteAllText(In("file.txt"), "old");
        Assert.Equal(string.Empty, Run("chown", owner, In("file.txt")));
        AtomicFile.WriteText(In("file.txt"), "new");
        Assert.Equal($"{owner}\n", Run("stat", "-c", "%u:%g", In("file.txt")));
    }

    [UnixTheory]
    [InlineData("pipe")]
    public void Write_ToAPipe_GoesThroughAndThePipeStays(string name)
    {
        Assert.Equal(string.Empty, Run("mkfifo", In(name)));
        File.CreateSymbolicLink(In("link"), name);
        foreach (var path in new[] { In(name), In("link") })
        {
            var read = Task.Run(() => Run("cat", In(name)));
            AtomicFile.WriteText(path, "through");
            Assert.Equal("through", read.Result);
        }

        // Open by the one who reads it, and still there: not a file.
        Assert.Equal("fifo\n", Run("stat", "-c", "%F", In(name)));
        Assert.Equal("symbolic link\n", Run("stat", "-c", "%F", In("link")));
        AtomicFile.RequireWritable(In(name));
    }

    [UnixTheory]
    [InlineData("/dev/full")]
    public void Write_ToADeviceThatIsFull_FailsAndTheDeviceStays(string device)
    {
        if (!File.Exists(device)) return;
        File.CreateSymbolicLink(In("link"), device);
        Assert.Contains(
            "No space left", Assert.Throws<IOException>(() => AtomicFile.WriteText(In("link"), "x")).Message, StringComparison.Ordinal);
        Assert.Equal("character special file\n", Run("stat", "-c", "%F", device));
        Assert.Equal(device, new FileInfo(In("link")).LinkTarget);
    }

    [Fact]
    public void RequireWritable_WhatCannotBeWritten_SaysWhyAndLeavesNothing()
    {
        Directory.CreateDirectory(In("folder"));
        Assert.Contains("is a folder", Refused("folder"), StringComparison.Ordinal);
        Assert.Contains("There is no folder", Refused("missing/file.txt"), StringComparison.Ordinal);
        AtomicFile.Layer = new FailingLayer(room: 100);
        Assert.Contains("No space left", Refused("file.txt"), StringComparison.Ordinal);
        AtomicFile.Layer = FileLayer.System;
        AtomicFile.RequireWritable(In("file.txt"));
        Assert.Equal([In("folder")], Directory.GetFileSystemEntries(_folder));

        string Refused(string name) => Assert.ThrowsAny<IOException>(() => AtomicFile.RequireWritable(In(name))).Message;
    }

    [Fact]
    public void RequireWritable_LeftoversOfKilledRuns_AreClearedAndThoseInUseAreNot()
    {
        // As a killed run leaves them: nobody has them open.
        File.WriteAllText(Leftovers.NameIn(_folder), "half");
        Directory.CreateDirectory(In("mlnetbn-fold-1/inner"));
        File.WriteAllText(In("mlnetbn-fold-1/mlnetbn.lock"), "\n");
        string[] others = [In("mlnetbn-notes.tmp"), In("file.mlnetbn.tmp")];
        foreach (var other in others) File.WriteAllText(other, "somebody's");
        Directory.CreateDirectory(In("mlnetbn-data"));
        using var used = new ScratchFolder("fold", _folder);
        AtomicFile.Write(In("file.txt"), stream =>
        {
            stream.Write("half"u8);
            stream.Flush();
            AtomicFile.RequireWritable(In("other.txt"));
            stream.Write("whole"u8);
        });

        Assert.Equal("halfwhole", File.ReadAllText(In("file.txt")));
        Assert.Equal(
            [In("file.mlnetbn.tmp"), In("file.txt"), In("mlnetbn-data"), used.Path, In("mlnetbn-notes.tmp")],
            Directory.GetFileSystemEntries(_folder).Order(StringComparer.Ordinal));
    }

    private string In(string name) => Path.Combine(_folder, name);

    private static string Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return output;
    }
}
