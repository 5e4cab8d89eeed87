package observe

import (
	"context"
	"log/slog"
	"sync"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// LogOptions configures [Log]. The zero value logs failures.
type LogOptions struct {
	// Every limits the log: of the failures with the same backend, operation and kind it
	// logs one, and after this time the number of the others. 0 is 10 seconds, a negative
	// value logs every failure.
	Every time.Duration
	// Slow also logs operations that take longer, loads included. 0 logs none.
	Slow time.Duration
}

const defaultEvery = 10 * time.Second

// Log returns an observer that logs failures to logger: those of the store and of loads
// as warnings, cancelled calls as debug messages, and what backends report, such as a
// circuit breaker that opens, as warnings or information. It logs no values; the
// text of an error may name a key. logger gets the context of the operation, also in a
// span of a tracer.
//
// An outage does not flood the log: see [LogOptions.Every].
func Log(logger *slog.Logger, o LogOptions) cache.Observer {
	if o.Every == 0 {
		o.Every = defaultEvery
	}
	l := &log{logger: logger, options: o, held: map[subject]*int{}}
	return l.observe
}

type log struct {
	logger  *slog.Logger
	options LogOptions

	mu   sync.Mutex
	held map[subject]*int // number of messages held back; there is an entry until Every has passed
}

// subject is what messages have in common of which one is logged.
type subject struct {
	text, backend, op string
	kind              Kind
}

func (l *log) observe(ctx context.Context, e cache.Event) {
	class := ClassOf(e)
	switch {
	case class == Notice:
		l.notice(ctx, e)
	case e.Err != nil:
		l.failure(ctx, e)
	case l.options.Slow > 0 && e.Duration > l.options.Slow:
		l.message(ctx, slog.LevelWarn, subject{"cache operation is slow", e.Backend, e.Op, None}, e)
	}
}

// notice logs each report of a backend, because they are rare and each one counts.
func (l *log) notice(ctx context.Context, e cache.Event) {
	level, attrs := slog.LevelInfo, []slog.Attr{slog.String("backend", e.Backend), slog.String("op", e.Op)}
	if e.Err != nil {
		level, attrs = slog.LevelWarn, append(attrs, slog.Any("error", e.Err))
	}
	l.logger.LogAttrs(ctx, level, "cache backend reported an event", attrs...)
}

func (l *log) failure(ctx context.Context, e cache.Event) {
	s, level := subject{"cache operation failed", e.Backend, e.Op, KindOf(e.Err)}, slog.LevelWarn
	if s.kind == Cancelled {
		level = slog.LevelDebug
	}
	l.message(ctx, level, s, e)
}

func (l *log) message(ctx context.Context, level slog.Level, s subject, e cache.Event) {
	if !l.logger.Enabled(ctx, level) || l.options.Every > 0 && l.holdsBack(s, level) {
		return
	}
	attrs := append(s.attrs(), slog.Duration("duration", e.Duration))
	if e.Err != nil {
		attrs = append(attrs, slog.Any("error", e.Err))
	}
	l.logger.LogAttrs(ctx, level, s.text, attrs...)
}

func (s subject) attrs() []slog.Attr {
	attrs := []slog.Attr{slog.String("backend", s.backend), slog.String("op", s.op)}
	if s.kind != None {
		attrs = append(attrs, slog.String("kind", string(s.kind)))
	}
	return attrs
}

// holdsBack counts a message if one of its subject was logged within Every.
func (l *log) holdsBack(s subject, level slog.Level) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n, ok := l.held[s]; ok {
		*n++
		return true
	}
	l.held[s] = new(int)
	time.AfterFunc(l.options.Every, func() { l.summarize(s, level) })
	return false
}

// summarize logs the number of messages that were held back. While there are some, the
// next summary follows after Every.
func (l *log) summarize(s subject, level slog.Level) {
	l.mu.Lock()
	n := *l.held[s]
	if n == 0 {
		delete(l.held, s)
		l.mu.Unlock()
		return
	}
	*l.held[s] = 0
	time.AfterFunc(l.options.Every, func() { l.summarize(s, level) })
	l.mu.Unlock()
	l.logger.LogAttrs(context.Background(), level, s.text+" again", append(s.attrs(), slog.Int("times", n), slog.Duration("within", l.options.Every))...)
}
