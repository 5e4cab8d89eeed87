package main

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// object is an answer in JSON.
type object map[string]any

// bytes puts b under name as text, or under name_base64 where it is not UTF-8.
func (o object) bytes(name string, b []byte) {
	if utf8.Valid(b) {
		o[name] = string(b)
	} else {
		o[name+"_base64"] = b
	}
}

// encode returns one line.
func (o object) encode() []byte {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(o); err != nil {
		panic(err) // nothing but texts, numbers and lists of them is put in
	}
	return line.Bytes()
}

// answer writes an answer in the form that was asked for; a miss where !ok.
func (a *app) answer(ok bool, fields object, text []byte) error {
	if a.json {
		text = fields.encode()
	}
	if _, err := a.stdout.Write(text); err != nil {
		return err
	}
	if !ok {
		return errMiss
	}
	return nil
}
