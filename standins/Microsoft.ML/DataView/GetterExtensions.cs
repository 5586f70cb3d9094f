namespace Microsoft.ML;

internal static class GetterExtensions
{
    /// <summary>The getter as one of values of <typeparamref name="TValue"/>; an exception that names both types where it isn't.</summary>
    public static ValueGetter<TValue> As<TValue>(this Delegate getter) => getter switch
    {
        ValueGetter<TValue> typed => typed,
        null => throw new InvalidOperationException("The column is not active."),
        _ => throw new InvalidOperationException(
            $"Invalid TValue in GetGetter: '{typeof(TValue)}', expected type: '{getter.GetType().GetGenericArguments()[0]}'."),
    };

    /// <summary>Calls the generic <paramref name="method"/>, given with any type argument, with the type that is known only at run time.</summary>
    public static TResult For<TResult>(this Type type, Delegate method, params object[] arguments)
    {
        try
        {
            return (TResult)method.Method.GetGenericMethodDefinition().MakeGenericMethod(type).Invoke(method.Target, arguments);
        }
        catch (System.Reflection.TargetInvocationException e)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e.InnerException);
            throw;
        }
    }
}
