package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// call is a request: its reply is the number of the batch that carried it.
type call struct {
	text  []byte
	reply int // 0 without one, -1 from a round trip of its own
}

// server is what the batches of a test are sent to.
type server struct {
	group Group[*call]
	made  int // batches, with mu

	mu       sync.Mutex
	sent     [][]string                                   // the texts of each batch
	send     func(ctx context.Context, n int) error       // the n-th batch, from 1; may be nil
	alone    func(ctx context.Context, text string) error // may be nil
	underWay int
	most     int // batches under way at a time
}

func newServer() *server {
	s := new(server)
	s.group.RoundTrip = func(ctx context.Context, c *call) error {
		if s.alone != nil {
			if err := s.alone(ctx, string(c.text)); err != nil {
				return err
			}
		}
		c.reply = -1
		return nil
	}
	s.group.NewBatch = func() Batch[*call] { s.made++; return &textBatch{server: s} }
	return s
}

type textBatch struct {
	server *server
	calls  []*call
	texts  []string
	size   int
	broken bool // Send has not returned
}

func (b *textBatch) Add(c *call) int {
	if b.broken {
		panic("a batch that is under way, or that panicked, is used again")
	}
	b.calls, b.texts = append(b.calls, c), append(b.texts, string(c.text))
	b.size += len(c.text)
	return b.size
}

func (b *textBatch) Remove(i int) { b.calls[i] = nil }

func (b *textBatch) Reset() {
	clear(b.calls)
	b.calls, b.texts, b.size = b.calls[:0], b.texts[:0], 0
}

func (b *textBatch) Send(ctx context.Context) error {
	s := b.server
	b.broken = true
	var texts []string
	for i, c := range b.calls {
		if c != nil {
			texts = append(texts, b.texts[i])
		}
	}
	s.mu.Lock()
	s.underWay++
	s.most = max(s.most, s.underWay)
	s.sent = append(s.sent, texts)
	number, send := len(s.sent), s.send
	s.mu.Unlock()
	var err error
	if send != nil {
		err = send(ctx, number)
	}
	b.broken = false
	s.mu.Lock()
	s.underWay--
	s.mu.Unlock()
	if err != nil {
		return err
	}
	for _, c := range b.calls {
		if c != nil {
			c.reply = number
		}
	}
	return nil
}

// start runs Do with its own goroutine and returns where its error arrives.
func (s *server) start(ctx context.Context, text string) (*call, <-chan error) {
	c, done := &call{text: []byte(text)}, make(chan error, 1)
	go func() { done <- s.group.Do(ctx, c) }()
	return c, done
}

// occupy fills both places for batches under way until release is closed. Further
// calls gather.
func (s *server) occupy(t *testing.T, release <-chan struct{}) {
	t.Helper()
	s.group.MaxAlone = -1
	s.send = func(ctx context.Context, n int) error {
		if n <= maxBatches {
			<-release
		}
		return nil
	}
	for range maxBatches {
		s.start(context.Background(), "slow")
		synctest.Wait()
	}
	if waiting, batches := s.group.Load(); waiting != 0 || batches != maxBatches {
		t.Fatalf("%d requests wait, %d batches are under way; want 0 and %d", waiting, batches, maxBatches)
	}
}

func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error %v; want %v", err, target)
	}
}

func TestFewCallsDoNotShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		release := make(chan struct{})
		s.alone = func(context.Context, string) error { <-release; return nil }
		var calls []*call
		for range maxAlone {
			c, _ := s.start(t.Context(), "alone")
			calls = append(calls, c)
		}
		synctest.Wait()
		shared, done := s.start(t.Context(), "shared")
		want(t, <-done, nil)
		close(release)
		synctest.Wait()
		for _, c := range calls {
			if c.reply != -1 {
				t.Errorf("one of the first %d calls went with batch %d", maxAlone, c.reply)
			}
		}
		if shared.reply != 1 {
			t.Errorf("the call beyond them: reply %d; want that of batch 1", shared.reply)
		}
	})
}

func TestDoAloneNeverSharesButCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		release := make(chan struct{})
		s.alone = func(context.Context, string) error { <-release; return nil }
		for range maxAlone + 1 {
			go s.group.DoAlone(t.Context(), &call{})
		}
		synctest.Wait()
		c, done := s.start(t.Context(), "k")
		want(t, <-done, nil)
		if c.reply != 1 {
			t.Errorf("reply %d; want that of a batch, for others are under way", c.reply)
		}
		close(release)
	})
}

func TestCallersShareRoundTrips(t *testing.T) {
	s := newServer()
	s.group.MaxAlone = -1
	s.send = func(context.Context, int) error { time.Sleep(100 * time.Microsecond); return nil }
	var running sync.WaitGroup
	for range 64 {
		running.Go(func() {
			for range 20 {
				c := &call{text: []byte("k")}
				if err := s.group.Do(t.Context(), c); err != nil || c.reply == 0 {
					t.Errorf("Do: %v, reply %d", err, c.reply)
				}
			}
		})
	}
	running.Wait()
	if n := s.most; n > maxBatches {
		t.Errorf("%d batches under way at a time; want at most %d", n, maxBatches)
	}
	sent := 0
	for _, texts := range s.sent {
		sent += len(texts)
	}
	if sent != 64*20 {
		t.Errorf("%d requests were sent; want each of %d once", sent, 64*20)
	}
	if n := s.made; n > maxBatches+1 {
		t.Errorf("%d batches were made for %d round trips; want them reused", n, len(s.sent))
	}
}

func TestRequestsGatherWhileBatchesAreUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		release := make(chan struct{})
		s.occupy(t, release)
		for i := range 10 {
			s.start(t.Context(), fmt.Sprint(i))
			synctest.Wait()
		}
		close(release)
		synctest.Wait()
		if got := s.sent[maxBatches:]; len(got) != 1 || !slices.Equal(got[0], []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}) {
			t.Errorf("batches %q; want the ten requests in one", got)
		}
	})
}

func TestBatchSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.group.BatchSize = 20
		release := make(chan struct{})
		s.occupy(t, release)
		for range 10 {
			s.start(t.Context(), "12345678")
			synctest.Wait()
		}
		close(release)
		synctest.Wait()
		for _, texts := range s.sent[maxBatches:] {
			if len(texts) > 3 { // the third exceeds 20
				t.Errorf("a batch of %d requests of 8 bytes; the limit is 20 bytes", len(texts))
			}
		}
		if n := len(s.sent) - maxBatches; n != 4 {
			t.Errorf("%d batches for 10 requests; want 4", n)
		}
	})
}

func TestCallerLeavesBeforeSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		release := make(chan struct{})
		s.occupy(t, release)
		ctx, cancel := context.WithCancel(t.Context())
		left, leftDone := s.start(ctx, "left")
		synctest.Wait()
		stayed, stayedDone := s.start(t.Context(), "stayed")
		synctest.Wait()
		cancel()
		err := <-leftDone
		want(t, err, context.Canceled)
		if !IsUnsent(err) || IsAbandoned(err) {
			t.Errorf("error %#v; want Unsent", err)
		}
		left.text[0] = 'X' // the race detector sees whether the batch still reads it
		late, leave := context.WithCancel(t.Context())
		_, lateDone := s.start(late, "late") // its number is not that of a caller that stays
		synctest.Wait()
		leave()
		<-lateDone
		if waiting, _ := s.group.Load(); waiting != 1 {
			t.Errorf("%d requests wait; want 1", waiting)
		}
		close(release)
		want(t, <-stayedDone, nil)
		if got := s.sent[maxBatches:]; len(got) != 1 || !slices.Equal(got[0], []string{"stayed"}) {
			t.Errorf("sent %q; want only the request of the caller that stayed", got)
		}
		if stayed.reply == 0 || left.reply != 0 {
			t.Errorf("replies %d and %d", stayed.reply, left.reply)
		}
	})
}

// No caller waits longer than MaxWait for its batch to be sent, however many there
// are. A caller that leaves earlier gets the error of its context.
func TestMaxWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.group.MaxWait, s.group.BatchSize = time.Second, 4 // one request in each batch
		release := make(chan struct{})
		s.occupy(t, release)
		begin := time.Now()
		var waiting []<-chan error
		for i := range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+i%2)*600*time.Millisecond)
			defer cancel()
			_, done := s.start(ctx, "late")
			waiting = append(waiting, done)
		}
		for i, done := range waiting {
			err, target := <-done, error(ErrWait)
			if i%2 == 0 {
				target = context.DeadlineExceeded
			}
			want(t, err, target)
			if took := time.Since(begin); !IsUnsent(err) || took > time.Second {
				t.Errorf("error %#v after %v; want Unsent after at most 1s", err, took)
			}
		}
		if waiting, _ := s.group.Load(); waiting != 0 {
			t.Errorf("%d requests wait", waiting)
		}
		c, done := s.start(t.Context(), "next")
		time.Sleep(time.Second / 2)
		close(release)
		want(t, <-done, nil)
		if len(s.sent) != maxBatches+1 || c.reply == 0 {
			t.Errorf("sent %q; want only what waited for less", s.sent)
		}
		time.Sleep(time.Minute) // no limit ends a batch that was sent
	})
}

func TestContextThatHasEndedIsUnsent(t *testing.T) {
	s := newServer()
	s.group.MaxAlone = -1
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if err := s.group.Do(ctx, &call{}); !IsUnsent(err) || !errors.Is(err, context.Canceled) {
			t.Fatalf("error %#v; want Unsent", err)
		}
	}
	if s.made > 0 {
		t.Error("a request joined a batch")
	}
}

func TestBatchWithoutCallersIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		release := make(chan struct{})
		s.occupy(t, release)
		ctx, cancel := context.WithCancel(t.Context())
		_, done := s.start(ctx, "left")
		synctest.Wait()
		cancel()
		<-done
		close(release)
		synctest.Wait()
		if n := len(s.sent); n != maxBatches {
			t.Errorf("%d batches were sent; want %d", n, maxBatches)
		}
		if waiting, batches := s.group.Load(); waiting != 0 || batches != 0 {
			t.Errorf("%d requests wait, %d batches are under way; want none", waiting, batches)
		}
	})
}

func TestCallerLeavesAfterSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		release := make(chan struct{})
		s.occupy(t, release)
		sent := make(chan context.Context)
		s.send = func(ctx context.Context, n int) error {
			sent <- ctx
			<-ctx.Done()
			return ctx.Err()
		}
		first, leaveFirst := context.WithCancel(t.Context())
		second, leaveSecond := context.WithCancel(t.Context())
		c, firstDone := s.start(first, "first")
		_, secondDone := s.start(second, "second")
		synctest.Wait()
		close(release)
		ctx := <-sent
		leaveFirst()
		err := <-firstDone
		want(t, err, context.Canceled)
		if !IsAbandoned(err) || IsUnsent(err) {
			t.Errorf("error %#v; want Abandoned", err)
		}
		c.text[0] = 'X' // the race detector sees whether the batch still reads it
		synctest.Wait()
		if ctx.Err() != nil {
			t.Error("the batch was cancelled though a caller waits")
		}
		leaveSecond()
		<-secondDone
		synctest.Wait()
		want(t, ctx.Err(), context.Canceled)
		if _, batches := s.group.Load(); batches != 0 {
			t.Errorf("%d batches are under way though all callers have left", batches)
		}
	})
}

func TestDeadlineOfBatchIsTheLatest(t *testing.T) {
	for _, forever := range []bool{false, true} {
		t.Run(fmt.Sprintf("forever=%v", forever), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer()
				release := make(chan struct{})
				s.occupy(t, release)
				var deadline time.Time
				var limited bool
				s.send = func(ctx context.Context, n int) error {
					deadline, limited = ctx.Deadline()
					return nil
				}
				begin := time.Now()
				for _, d := range []time.Duration{time.Second, time.Minute, time.Millisecond} {
					ctx, cancel := context.WithTimeout(t.Context(), d)
					defer cancel()
					s.start(ctx, "k")
					synctest.Wait()
				}
				if forever {
					s.start(t.Context(), "k")
				}
				synctest.Wait()
				close(release)
				synctest.Wait()
				if limited == forever || limited && !deadline.Equal(begin.Add(time.Minute)) {
					t.Errorf("deadline after %v, %v", deadline.Sub(begin), limited)
				}
			})
		})
	}
}

func TestErrorOfSendReachesAllCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		release := make(chan struct{})
		s.occupy(t, release)
		s.send = func(context.Context, int) error { return io.ErrUnexpectedEOF }
		_, one := s.start(t.Context(), "one")
		_, two := s.start(t.Context(), "two")
		synctest.Wait()
		close(release)
		want(t, <-one, io.ErrUnexpectedEOF)
		want(t, <-two, io.ErrUnexpectedEOF)
	})
}

func TestPanicInSendIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		release := make(chan struct{})
		s.occupy(t, release)
		s.send = func(context.Context, int) error { panic(io.ErrNoProgress) }
		_, one := s.start(t.Context(), "one")
		_, two := s.start(t.Context(), "two")
		synctest.Wait()
		close(release)
		for _, done := range []<-chan error{one, two} {
			err := <-done
			var panicked *PanicError
			if !errors.As(err, &panicked) || len(panicked.Stack) == 0 || IsUnsent(err) {
				t.Errorf("error %v; want a PanicError with its stack", err)
			}
			want(t, err, io.ErrNoProgress)
		}
		synctest.Wait()
		s.send = nil
		for range 10 {
			c := &call{text: []byte("after")}
			want(t, s.group.Do(t.Context(), c), nil)
			if c.reply == 0 {
				t.Error("no reply after a panic")
			}
		}
	})
}

// A Send that ends its goroutine, as t.FailNow does, fails its callers and no others.
func TestGoexitInSendIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.group.MaxAlone = -1
		release := make(chan struct{})
		s.send = func(context.Context, int) error { <-release; runtime.Goexit(); return nil }
		var failed []<-chan error
		for range 3 * maxBatches {
			_, done := s.start(t.Context(), "k")
			failed = append(failed, done)
			synctest.Wait()
		}
		close(release)
		for _, done := range failed {
			if err := <-done; !errors.Is(err, errExited) || IsUnsent(err) {
				t.Errorf("error %v; want %v", err, errExited)
			}
		}
		synctest.Wait()
		if waiting, batches := s.group.Load(); waiting != 0 || batches != 0 {
			t.Errorf("%d requests wait, %d batches are under way; want none", waiting, batches)
		}
		s.send = nil
		for range 10 {
			c := &call{text: []byte("after")}
			want(t, s.group.Do(t.Context(), c), nil)
			if c.reply == 0 {
				t.Error("no reply after a Goexit")
			}
		}
	})
}

func TestDetachComesBeforeAdd(t *testing.T) {
	s := newServer()
	s.group.MaxAlone = -1
	s.group.Detach = func(c *call) { c.text = slices.Clone(c.text) }
	text := []byte("k")
	c := &call{text: text}
	want(t, s.group.Do(t.Context(), c), nil)
	if &c.text[0] == &text[0] {
		t.Error("the request still has the caller's memory")
	}
	s.group.MaxAlone = 0
	c = &call{text: text}
	want(t, s.group.Do(t.Context(), c), nil)
	if &c.text[0] != &text[0] {
		t.Error("a request that goes alone was copied")
	}
}

// Callers leave at random moments while others go on, for the race detector.
func TestCallersLeaveAtAnyTime(t *testing.T) {
	s := newServer()
	s.send = func(ctx context.Context, n int) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Microsecond):
			return nil
		}
	}
	var running sync.WaitGroup
	for i := range 32 {
		running.Go(func() {
			for j := range 50 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration((i*j)%200)*time.Microsecond)
				c := &call{text: []byte("k")}
				err := s.group.Do(ctx, c)
				cancel()
				switch {
				case err == nil && c.reply == 0:
					t.Error("neither a reply nor an error")
				case IsUnsent(err) && c.reply != 0:
					t.Error("an unsent request has a reply")
				}
				c.text[0] = 'X'
			}
		})
	}
	running.Wait()
	for _, batches := s.group.Load(); batches > 0; _, batches = s.group.Load() {
		time.Sleep(time.Millisecond)
	}
	if waiting, _ := s.group.Load(); waiting != 0 {
		t.Errorf("%d requests wait and no batch is under way", waiting)
	}
}

// BenchmarkGroup measures what sharing costs without a server: allocations are those of
// the Group alone.
func BenchmarkGroup(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			g := Group[*call]{
				RoundTrip: func(context.Context, *call) error { return nil },
				NewBatch:  func() Batch[*call] { return new(countBatch) },
				MaxAlone:  -1,
			}
			b.ReportAllocs()
			var running sync.WaitGroup
			var left atomic.Int64
			left.Store(int64(b.N))
			for range callers {
				running.Go(func() {
					for c := new(call); left.Add(-1) >= 0; {
						if err := g.Do(context.Background(), c); err != nil {
							b.Error(err)
						}
					}
				})
			}
			running.Wait()
		})
	}
}

type countBatch struct{ calls []*call }

func (b *countBatch) Add(c *call) int            { b.calls = append(b.calls, c); return len(b.calls) }
func (b *countBatch) Remove(i int)               { b.calls[i] = nil }
func (b *countBatch) Send(context.Context) error { return nil }
func (b *countBatch) Reset()                     { clear(b.calls); b.calls = b.calls[:0] }
