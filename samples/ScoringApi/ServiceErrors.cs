using System.Globalization;
using Microsoft.Extensions.Options;
using ScoringApi.OpenInference;

namespace ScoringApi;

/// <summary>What becomes of an exception: a status, and a sentence for whoever sent the request.</summary>
internal static class ServiceErrors
{
    public static int StatusOf(Exception exception) => exception switch
    {
        BadHttpRequestException bad => bad.StatusCode,
        InferenceException refusal => refusal.Status,
        AnswerException => StatusCodes.Status422UnprocessableEntity,
        BusyException => StatusCodes.Status503ServiceUnavailable,
        _ => StatusCodes.Status500InternalServerError,
    };

    /// <summary>Whether the answer says it all, so that it need not stand in the log as an error.</summary>
    public static bool IsExplained(Exception exception) => StatusOf(exception) != StatusCodes.Status500InternalServerError;

    /// <summary>The sentence; one who may try again is told when.</summary>
    public static string Explain(HttpContext context, Exception exception)
    {
        if (exception is BusyException)
        {
            var seconds = Math.Ceiling(context.RequestServices.GetRequiredService<IOptions<Limits>>().Value.RetryAfter.TotalSeconds);
            context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        if (!IsExplained(exception)) return "The service failed; its log says why.";
        return exception is BadHttpRequestException ? (exception.InnerException ?? exception).Message : exception.Message;
    }
}
