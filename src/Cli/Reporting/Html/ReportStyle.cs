namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>The style sheet of a report: light and dark by the reader's setting, plain on paper, nothing from elsewhere.</summary>
internal static class ReportStyle
{
    public const string Css = """
        :root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6570; --paper: #ffffff; --panel: #f4f6f8; --rule: #d5dae0;
            --a: #0b62c4; --b: #c2410c; --heat: 11, 98, 196; }
        @media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --soft: #9aa5b1; --paper: #15181c; --panel: #1f242a; --rule: #3a424b;
            --a: #6db3ff; --b: #ff9d5c; --heat: 109, 179, 255; } }
        @media print { :root { color-scheme: light; --ink: #000000; --soft: #444444; --paper: #ffffff; --panel: #ffffff; --rule: #bbbbbb;
            --a: #0b62c4; --b: #c2410c; --heat: 11, 98, 196; } figure, table, .tiles div { break-inside: avoid; }
        h2, h3 { break-after: avoid; } }
        body { margin: 0 auto; max-width: 62rem; padding: 1.5rem; background: var(--paper); color: var(--ink);
            font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
        h1 { margin: 0; font-size: 1.7rem; } h2 { margin: 2.2rem 0 .6rem; font-size: 1.25rem; border-bottom: 1px solid var(--rule); }
        h3 { margin: 1.2rem 0 .4rem; font-size: 1rem; }
        p { margin: .4rem 0; max-width: 48rem; } .small, figcaption { color: var(--soft); font-size: .875rem; }
        .tiles, .charts { display: flex; flex-wrap: wrap; gap: 1rem; }
        .tiles div { flex: 1 1 16rem; padding: .8rem 1rem; background: var(--panel); border: 1px solid var(--rule); border-radius: .5rem; }
        .tiles strong { display: block; font-size: 1.7rem; line-height: 1.2; } .tiles p { font-size: .875rem; }
        figure { margin: .5rem 0; flex: 1 1 24rem; max-width: 32rem; } svg { width: 100%; height: auto; }
        svg text { fill: var(--soft); font-size: 12px; }
        .grid { stroke: var(--rule); stroke-width: 1; }
        .guide { fill: none; stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 5 4; }
        .a, .b { fill: none; stroke-width: 2; stroke: var(--a); } .b { stroke: var(--b); }
        circle.a, rect.a { fill: var(--a); stroke: none; } circle.b { fill: var(--b); stroke: none; }
        circle.faint { fill: var(--a); fill-opacity: .35; }
        .swatch { display: inline-block; width: 1.4rem; height: 0; margin: 0 .3rem 0 .8rem; vertical-align: middle;
            border-top: 3px solid var(--a); } .swatch.b { border-color: var(--b); } .swatch.guide { border-top: 2px dashed var(--soft); }
        .scroll { overflow-x: auto; } table { border-collapse: collapse; margin: .6rem 0; font-size: .875rem; }
        th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--rule); text-align: left; vertical-align: top;
            overflow-wrap: anywhere; } th { color: var(--soft); font-weight: 600; }
        .number, .matrix td { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
        .matrix td { padding: .2rem .4rem; background: rgba(var(--heat), var(--share)); }
        .matrix td.right { font-weight: 700; outline: 1px solid var(--rule); }
        pre { overflow-x: auto; padding: .8rem 1rem; background: var(--panel); border: 1px solid var(--rule); border-radius: .5rem;
            font-size: .875rem; } code { font-family: ui-monospace, Consolas, monospace; }
        """;
}
