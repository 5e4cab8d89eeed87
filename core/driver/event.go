package driver

// EventSource is implemented by backends that report what happens outside the calls
// of programs, such as a circuit breaker that opens or a watch that is interrupted.
// Cache calls OnEvent once, before any other method, and passes what it receives to
// its observer as the Op and Err of an event. report may be called from any goroutine
// until Close returns, and must return quickly.
// Fallback: none; there are no such events.
type EventSource interface {
	OnEvent(report func(op string, err error))
}
