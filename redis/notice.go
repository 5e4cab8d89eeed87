package redis

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// trackChanges are the commands after which a server reports the changes of keys with
// prefix, whoever makes them.
func trackChanges(prefix string) [][]string {
	track := []string{"CLIENT", "TRACKING", "ON", "BCAST"}
	if prefix != "" {
		track = append(track, "PREFIX", prefix)
	}
	return [][]string{{"HELLO", "3"}, track}
}

// subscribeToChanges is the command after which a server passes on what writers publish:
// see Options.PublishChanges. It is one command, so that its first reply is enough.
func subscribeToChanges(prefix string) [][]string {
	return [][]string{{"PSUBSCRIBE", changedChannel + literal.Replace(prefix) + "*", flushedChannel}}
}

// begin sends the commands with which the reports begin.
func (l *link) begin(commands [][]string, deadline time.Time) error {
	l.conn.SetReadDeadline(deadline)
	for _, command := range commands {
		if err := l.send(deadline, command...); err != nil {
			return err
		}
		if err := l.readReply(); err != nil {
			return notReported(err, command[0])
		}
	}
	return l.conn.SetReadDeadline(time.Time{})
}

// notReported returns the error of a command with which the reports begin.
func notReported(err error, command string) error {
	if !isCommandRefused(err) {
		return err
	}
	switch command {
	case "PSUBSCRIBE":
		return fmt.Errorf("%w: the server does not accept PSUBSCRIBE, by which Watch receives published changes: %w", errors.ErrUnsupported, err)
	case "HELLO":
		command = "RESP3"
	default:
		command = "CLIENT TRACKING"
	}
	return fmt.Errorf("%w: the server does not accept %s, which reports changes; "+
		"set PublishChanges (publish_changes) in all programs that write: %w", errors.ErrUnsupported, command, err)
}

// read reads reports and answers until the connection ends. With RESP2, messages and the
// answers to PING are lists.
func (l *link) read(changed func(key string)) error {
	for {
		kind, n, err := l.readHeader()
		switch {
		case err != nil:
		case kind == '>' || kind == '*':
			err = l.readReport(n, changed)
		case kind == '+':
			l.answers.Add(1)
		default:
			err = errMalformed
		}
		if err != nil {
			return fmt.Errorf("%s: %w", l.addr, err)
		}
	}
}

// readReport reads a notification or a message of n elements.
func (l *link) readReport(n int, changed func(key string)) error {
	kind, size, err := l.readHeader()
	name := ""
	if err == nil && kind == '$' {
		name, err = l.readString(size)
	}
	switch {
	case err != nil:
		return err
	case name == "invalidate" && n == 2:
		return l.readInvalidation(changed)
	case name == "pmessage" && n == 4:
		return l.readMessage(changed)
	case name == "pong":
		l.answers.Add(1)
	}
	return l.skip(n - 1)
}

// readInvalidation reads the keys that have changed.
func (l *link) readInvalidation(changed func(key string)) error {
	kind, n, err := l.readHeader()
	switch {
	case err != nil:
		return err
	case n < 0:
		return errFlushed
	case kind != '*':
		return errMalformed
	}
	for range n {
		key, err := l.readText()
		if err != nil {
			return err
		}
		changed(key)
	}
	return nil
}

// readMessage reads the pattern, the channel and the text of a message.
func (l *link) readMessage(changed func(key string)) error {
	var message [3]string
	for i := range message {
		text, err := l.readText()
		if err != nil {
			return err
		}
		message[i] = text
	}
	channel := message[1]
	if channel == flushedChannel {
		return errFlushed
	}
	key, ok := strings.CutPrefix(channel, changedChannel)
	if !ok {
		return errMalformed
	}
	changed(key)
	return nil
}

// readText reads a string that is not null.
func (l *link) readText() (string, error) {
	kind, size, err := l.readHeader()
	switch {
	case err != nil:
		return "", err
	case kind != '$' || size < 0:
		return "", errMalformed
	}
	return l.readString(size)
}
