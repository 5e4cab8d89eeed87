package redis

import (
	"context"
	"io"
	"slices"

	"github.com/cachebackends/cachebackends/core/driver"
	goredis "github.com/redis/go-redis/v9"
)

// GetAppend reads the value from the connection into dst, which it extends if that is
// necessary. If the call shares a round trip, the value is read into memory of its own
// first, because its caller may leave.
func (b *Backend) GetAppend(ctx context.Context, key string, dst []byte) (extended []byte, ok bool, err error) {
	if err := b.check(key); err != nil {
		return dst, false, err
	}
	cmd := newAppendCmd(ctx, key, dst)
	if err := b.read(ctx, cmd); err != nil {
		return dst, false, err
	}
	switch cmd.reply {
	case isValue:
		if cmd.detached {
			return append(dst, b.value(cmd.value)...), true, nil
		}
		return b.appended(dst, cmd.value), true, nil
	case isNull:
		return dst, false, nil
	case isError:
		if b.cluster == nil {
			return dst, false, b.failure(ctx, replyError(cmd.text), false)
		}
		// The driver does not look at this reply. With Get, it follows a redirection.
		value, ok, err := b.Get(ctx, key)
		return append(dst, value...), ok, err
	}
	return dst, false, b.failure(ctx, errMalformed, false)
}

// appendCmd is a GET whose reply the driver writes to it as it is.
type appendCmd struct {
	*goredis.RawWriteToCmd
	dst, value []byte
	detached   bool // value is not the caller's memory
	reply      replyState
	text       string // of an error
	end        [len("\r\n")]byte
}

type replyState int8

const (
	noLine replyState = iota
	isNull            // the key is absent
	isError
	isString  // the value follows
	isValue   // value is complete
	isUnknown // not a reply to GET
)

func newAppendCmd(ctx context.Context, key string, dst []byte) *appendCmd {
	cmd := &appendCmd{dst: dst}
	cmd.RawWriteToCmd = goredis.NewRawWriteToCmd(ctx, cmd, "get", key)
	return cmd
}

// detach is called before the command shares a round trip.
func (c *appendCmd) detach() { c.dst, c.detached = nil, true }

// reset makes the command ready to be sent again.
func (c *appendCmd) reset() { c.value, c.reply, c.text = nil, noLine, "" }

// Write is called by the driver with the first line of the reply, and then with the end
// of the line.
func (c *appendCmd) Write(line []byte) (int, error) {
	switch {
	case c.reply != noLine && string(line) == "\r\n":
	case c.reply != noLine || len(line) == 0:
		c.reply = isUnknown
	case line[0] == '-':
		c.reply, c.text = isError, string(line[1:])
	case line[0] == '_', string(line) == "$-1":
		c.reply = isNull
	case line[0] == '$':
		c.reply = isString
	default:
		c.reply = isUnknown
	}
	return len(line), nil
}

// ReadFrom is called by the driver with the string that follows the first line, and the
// end of the line. It has the length that the line declares.
func (c *appendCmd) ReadFrom(r io.Reader) (int64, error) {
	limited, ok := r.(*io.LimitedReader)
	if !ok || c.reply != isString {
		c.reply = isUnknown
		return io.Copy(io.Discard, r)
	}
	n := int(limited.N) - len(c.end)
	if n < 0 {
		return 0, errMalformed
	}
	value := slices.Grow(c.dst, n)[:len(c.dst)+n]
	read, err := io.ReadFull(r, value[len(c.dst):])
	if err == nil { // into memory of its own: dst may have room for the value alone
		n, err = io.ReadFull(r, c.end[:])
		read += n
	}
	if err == nil {
		c.value, c.reply = value, isValue
	}
	return int64(read), err
}

var _ driver.Appender = (*Backend)(nil)
