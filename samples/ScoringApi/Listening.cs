namespace ScoringApi;

/// <summary>
/// Where the service listens: <c>urls</c> (or <c>http_ports</c>), as in every ASP.NET Core service, by default
/// <c>http://localhost:8080</c>; and where it is set <c>GrpcUrls</c> for gRPC without TLS. That needs an address of its own, since without TLS a server cannot be
/// told which version of HTTP is meant. (With TLS both fit on one.)
/// </summary>
internal static class Listening
{
    private const string Default = "http://localhost:8080";

    public static void ListenForGrpc(this WebApplicationBuilder builder)
    {
        var configuration = builder.Configuration;
        var grpc = configuration["GrpcUrls"];
        if (string.IsNullOrEmpty(grpc)) return;
        var ports = configuration["http_ports"];
        var urls = configuration["urls"] is { Length: > 0 } given ? given
            : string.IsNullOrEmpty(ports) ? Default
            : string.Join(';', Parts(ports).Select(port => $"http://*:{port}"));
        // Kestrel says in the log that these endpoints stand in for `urls`, which they repeat.
        configuration.AddInMemoryCollection(Endpoints("Http", urls, "Http1").Concat(Endpoints("HttpGrpc", grpc, "Http2")));
    }

    private static IEnumerable<KeyValuePair<string, string?>> Endpoints(string name, string urls, string protocols) =>
        Parts(urls).SelectMany((url, index) => new Dictionary<string, string?>
        {
            [$"Kestrel:Endpoints:{name}{index}:Url"] = url,
            [$"Kestrel:Endpoints:{name}{index}:Protocols"] =
                url.StartsWith("https:", StringComparison.OrdinalIgnoreCase) ? "Http1AndHttp2" : protocols,
        });

    private static string[] Parts(string list) =>
        list.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
