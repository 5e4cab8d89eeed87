package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
)

// copyState records which keys a copy has finished: in memory, and in a file if the user
// names one. The file is a magic, a hash of the command, and a hash of each key. Its last
// record is incomplete if the process was killed.
type copyState struct {
	done map[keyHash]struct{}
	file *os.File // nil if there is none
}

// keyHash is a part of a SHA-256: two of a billion keys have the same one with a
// probability of 1e-21.
type keyHash [16]byte

const copyStateMagic = "cachectl-copy\x01\n"

func hashOf(text string) keyHash {
	h := sha256.Sum256([]byte(text))
	return keyHash(h[:16])
}

// openCopyState reads the state in the file name, which it creates if it does not exist.
// command identifies what is copied: a state of another copy is refused.
func openCopyState(name, command string) (*copyState, error) {
	s := &copyState{done: make(map[keyHash]struct{})}
	if name == "" {
		return s, nil
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, usagef("--state: %w", err)
	}
	s.file = f
	if err := s.load(command); err != nil {
		f.Close()
		return nil, usagef("--state %s: %w", name, err)
	}
	return s, nil
}

func (s *copyState) load(command string) error {
	hash := hashOf(command)
	header := append([]byte(copyStateMagic), hash[:]...)
	found := make([]byte, len(header))
	r := bufio.NewReader(s.file)
	switch _, err := io.ReadFull(r, found); {
	case err == io.EOF || err == io.ErrUnexpectedEOF && bytes.HasPrefix(header, bytes.TrimRight(found, "\x00")):
		return s.rewrite(header)
	case err != nil && err != io.ErrUnexpectedEOF:
		return err
	case !bytes.HasPrefix(found, []byte(copyStateMagic)):
		return errors.New("not a state file of copy")
	case !bytes.Equal(found, header):
		return errors.New("state of another copy: FROM, TO or --prefix differ; remove it to copy everything")
	}
	for {
		var key keyHash
		_, err := io.ReadFull(r, key[:])
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return s.truncate(int64(len(header) + len(s.done)*len(key)))
		}
		if err != nil {
			return err
		}
		s.done[key] = struct{}{}
	}
}

func (s *copyState) rewrite(header []byte) error {
	if err := s.truncate(0); err != nil {
		return err
	}
	_, err := s.file.Write(header)
	return err
}

// truncate makes the file end after size bytes, where the next write begins.
func (s *copyState) truncate(size int64) error {
	if err := s.file.Truncate(size); err != nil {
		return err
	}
	_, err := s.file.Seek(size, io.SeekStart)
	return err
}

func (s *copyState) has(key string) bool {
	if s.file == nil {
		return false
	}
	_, ok := s.done[hashOf(key)]
	return ok
}

// add records the keys that need not be copied again.
func (s *copyState) add(records []record, results []written) error {
	if s.file == nil {
		return nil
	}
	var text []byte
	for i, r := range records {
		if results[i] == isFailed {
			continue
		}
		key := hashOf(r.key)
		if _, ok := s.done[key]; !ok { // the number of records is that of the map
			s.done[key] = struct{}{}
			text = append(text, key[:]...)
		}
	}
	_, err := s.file.Write(text)
	return err
}

// close closes the file and removes it if the copy is complete.
func (s *copyState) close(complete bool) error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if complete && err == nil {
		if err = os.Remove(s.file.Name()); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	return err
}
