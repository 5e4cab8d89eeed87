package gcs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"

	"google.golang.org/api/googleapi"
)

// mostParts is how many requests the service takes in one:
// https://cloud.google.com/storage/docs/batch
const mostParts = 100

// direct speaks to the service past the client library, with the HTTP client that
// is beneath it. Of a borrowed client that cannot be had.
type direct struct {
	http    *http.Client
	batch   string // where many requests are sent in one
	upload  string // where objects are stored
	objects string // before the name of an object that is read
}

// part is one request of many.
type part struct {
	method, path string
}

func (b *Backend) part(method, name, query string) part {
	return part{method, "/storage/v1/b/" + url.PathEscape(b.name) + "/o/" + url.PathEscape(name) + query}
}

// reply is the answer to a part. Without a status, there was none.
type reply struct {
	status int
	body   []byte
}

// err is what the client library would make of the reply.
func (r reply) err() error {
	if r.status == 0 {
		return errors.New("the request is not among the answers")
	}
	return googleapi.CheckResponseWithBody(&http.Response{StatusCode: r.status}, r.body)
}

// send returns one reply for each part, by a part of the JSON API that the client
// library leaves out. Bytes of objects cannot be had that way.
func (d *direct) send(ctx context.Context, parts []part) ([]reply, error) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for i, p := range parts {
		// A bytes.Buffer does not fail.
		in, _ := w.CreatePart(textproto.MIMEHeader{
			"Content-Type": {"application/http"}, "Content-ID": {fmt.Sprintf("<%d>", i)},
		})
		fmt.Fprintf(in, "%s %s HTTP/1.1\r\n\r\n", p.method, p.path)
	}
	_ = w.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.batch, &body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "multipart/mixed; boundary="+w.Boundary())
	res, err := d.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if err := googleapi.CheckResponse(res); err != nil {
		return nil, err
	}
	_, params, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	return readReplies(multipart.NewReader(res.Body, params["boundary"]), len(parts))
}

// mostReply bounds the memory that one reply takes.
const mostReply = 1 << 20

// readReplies sorts replies by their number, for they may come in any order.
func readReplies(r *multipart.Reader, n int) ([]reply, error) {
	replies := make([]reply, n)
	in := bufio.NewReaderSize(nil, 512) // replies are small, and there are a hundred
	for {
		p, err := r.NextPart()
		if err == io.EOF {
			return replies, nil
		}
		if err != nil {
			return nil, err
		}
		var i int
		if _, err := fmt.Sscanf(p.Header.Get("Content-ID"), "<response-%d>", &i); err != nil || i < 0 || i >= n {
			return nil, fmt.Errorf("an answer to a request that was not made: %.100q", p.Header.Get("Content-ID"))
		}
		in.Reset(p)
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return nil, err
		}
		replies[i].status = res.StatusCode
		if replies[i].body, err = io.ReadAll(io.LimitReader(res.Body, mostReply)); err != nil {
			return nil, err
		}
	}
}

// multi makes requests of any number up to mostParts.
func (b *Backend) multi(ctx context.Context, k kind, parts []part) (replies []reply, err error) {
	if len(parts) == 0 {
		return nil, nil
	}
	err = b.do(ctx, k, func(ctx context.Context) error {
		replies, err = b.direct.send(ctx, parts)
		return err
	})
	return replies, err
}
