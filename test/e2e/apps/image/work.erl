%% Counts in a process's memory, asked by another.
-module(work).
-export([start/0]).

start() ->
    Begun = erlang:unique_integer([positive]) + erlang:system_time(),
    Counter = spawn(fun() -> count(0) end),
    ask(Begun, Counter, 0, 0).

count(N) ->
    receive {From, next} -> From ! {self(), N + 1}, count(N + 1) end.

ask(Begun, Counter, Before, WrongBefore) ->
    Counter ! {self(), next},
    N = receive {Counter, Next} -> Next end,
    Wrong = WrongBefore + if N =:= Before + 1 -> 0; true -> 1 end,
    case N rem 100 of
        0 -> ok = file:write_file("/state.new", io_lib:format("~p ~p ~p~n", [Begun, N, Wrong])),
             ok = file:rename("/state.new", "/state"),
             timer:sleep(10);
        _ -> ok
    end,
    ask(Begun, Counter, N, Wrong).
