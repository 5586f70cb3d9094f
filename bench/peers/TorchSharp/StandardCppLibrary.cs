using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace MlNetBatchNorm.Bench.Peers;

/// <summary>
/// TorchSharp's native library was built with GCC 13, whose &lt;iostream&gt; names one symbol of <c>GLIBCXX_3.4.32</c>
/// (ios_base_library_init) so that static programs keep the start-up code of the streams. Nothing refers to it: without relocations the
/// loader never looks it up. But it looks for the version, and refuses the library on Debian 12 and other systems whose libstdc++ is
/// GCC 12's. A newer libstdc++ would want a newer libc; so the version is marked as one that may be missing, in our copy of the file, as
/// the linker writes it for weak symbols.
/// </summary>
internal static class StandardCppLibrary
{
    private const string Version = "GLIBCXX_3.4.32";
    private const string Symbol = "_ZSt21ios_base_library_initv";
    private const ushort Weak = 2;

    // Elf64_Shdr.sh_type
    private const uint DynamicSymbols = 11;
    private const uint Relocations = 4;
    private const uint VersionsNeeded = 0x6ffffffe;

    /// <summary>Makes TorchSharp's native library loadable here, if that version is all that is missing.</summary>
    /// <param name="library">The library beside this program.</param>
    /// <exception cref="NotSupportedException">The library needs what the version has; the message says what to do.</exception>
    public static void Adapt(string library)
    {
        if (!NativeLibrary.TryLoad("libstdc++.so.6", out var standard))
            throw new NotSupportedException("There is no libstdc++.so.6, which libtorch needs: install it (Debian: libstdc++6).");
        if (NativeLibrary.TryGetExport(standard, Symbol, out _)) return;
        var bytes = File.ReadAllBytes(library);
        var at = FlagsOf(bytes, Version);
        if (at < 0 || BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(at)) == Weak) return;
        if (IsReferred(bytes, Symbol))
        {
            throw new NotSupportedException(
                $"{Path.GetFileName(library)} needs a libstdc++.so.6 with {Version} (GCC 13.2 or newer); the one here is older. "
                + "Put the folder of a newer one first in LD_LIBRARY_PATH, or run on Debian 13, Ubuntu 24.04 or newer.");
        }

        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(at), Weak);

        // A new file: the one that is there may be a link to the package's.
        var patched = library + ".new";
        File.WriteAllBytes(patched, bytes);
        File.Move(patched, library, overwrite: true);
    }

    // Elf64_Verneed: version, count (16 bits), file, first, next (32). Elf64_Vernaux: hash (32), flags, other (16), name, next (32).
    private static int FlagsOf(ReadOnlySpan<byte> elf, string version)
    {
        foreach (var section in Sections(elf))
        {
            if (section.Type != VersionsNeeded) continue;
            for (var need = section.Offset; ; need += Read(elf, need + 12))
            {
                for (var version32 = need + Read(elf, need + 8); ; version32 += Read(elf, version32 + 12))
                {
                    if (Text(elf, Sections(elf)[section.Link].Offset + Read(elf, version32 + 8)) == version) return version32 + 4;
                    if (Read(elf, version32 + 12) == 0) break;
                }

                if (Read(elf, need + 12) == 0) break;
            }
        }

        return -1;
    }

    // Elf64_Sym is 24 bytes, its name first; Elf64_Rela 24 bytes, the symbol in the upper half of the second number.
    private static bool IsReferred(ReadOnlySpan<byte> elf, string symbol)
    {
        var sections = Sections(elf);
        foreach (var relocations in sections.Where(section => section.Type == Relocations))
        {
            var symbols = sections[relocations.Link];
            if (symbols.Type != DynamicSymbols) continue;
            for (var entry = relocations.Offset; entry < relocations.Offset + relocations.Size; entry += 24)
            {
                var name = Read(elf, symbols.Offset + (24 * Read(elf, entry + 12)));
                if (Text(elf, sections[symbols.Link].Offset + name) == symbol) return true;
            }
        }

        return false;
    }

    private static List<(uint Type, int Offset, int Size, int Link)> Sections(ReadOnlySpan<byte> elf)
    {
        if (!elf.StartsWith("\u007fELF\u0002\u0001"u8)) throw new NotSupportedException("The library is no 64-bit little-endian ELF file.");
        var (first, count) = (Read(elf, 0x28), BinaryPrimitives.ReadUInt16LittleEndian(elf[0x3C..]));
        var sections = new List<(uint, int, int, int)>();
        for (var at = first; at < first + (64 * count); at += 64)
            sections.Add(((uint)Read(elf, at + 4), Read(elf, at + 0x18), Read(elf, at + 0x20), Read(elf, at + 0x28)));
        return sections;
    }

    // The file is far below 2 GB: the lower half of a 64-bit offset is all of it.
    private static int Read(ReadOnlySpan<byte> elf, int at) => BinaryPrimitives.ReadInt32LittleEndian(elf[at..]);

    private static string Text(ReadOnlySpan<byte> elf, int at) => Encoding.ASCII.GetString(elf[at..(at + elf[at..].IndexOf((byte)0))]);
}
