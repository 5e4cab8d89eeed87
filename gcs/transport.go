package gcs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"
)

// newTransport is like that of the client library, but keeps as many connections as
// a batch has requests, and bounds how long a dead one stays unnoticed.
func newTransport(concurrency int) *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: max(concurrency, 100),
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: 31 * time.Second},
	}
}

// checkedTransport returns an error in place of a response that is not the service's,
// such as the page of a captive portal. The client library would take some for a
// success, and would follow a redirect with the token and the value. Responses whose
// fields show whose they are, are checked where they are read.
type checkedTransport struct{ base http.RoundTripper }

// These bound the memory that a response other than a value takes. The largest list is that
// of a scan: 1,000 names of 1,024 bytes with up to 8 KiB of metadata each, of which JSON
// makes up to six times as much if all characters are escaped.
const (
	maxReply = 16 << 20
	maxList  = 64 << 20
)

func (t checkedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	query := req.URL.Query()
	isJSON, isList := query.Get("alt") == "json", query.Has("maxResults")
	if isList {
		req = withKind(req)
	}
	res, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if isForeign(req, res, isJSON) {
		res.Body.Close()
		return nil, foreignReply(describe(res))
	}
	if isList && res.StatusCode == http.StatusOK {
		return checkList(res)
	}
	if isJSON || res.StatusCode >= 300 {
		res.Body = limitedBody{io.LimitReader(res.Body, maxReply), res.Body}
	}
	return res, nil
}

// withKind adds the kind of the response to the fields that a list asks for. Without it
// the service responds to a list of no objects with {}, as other servers do to anything.
func withKind(req *http.Request) *http.Request {
	req = req.Clone(req.Context())
	query := req.URL.Query()
	query.Set("fields", "kind,"+query.Get("fields"))
	req.URL.RawQuery = query.Encode()
	return req
}

// checkList returns an error in place of a response that is not a list of objects.
func checkList(res *http.Response) (*http.Response, error) {
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxList))
	if err != nil {
		return nil, err
	}
	var list struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(body, &list); err != nil || list.Kind != "storage#objects" {
		return nil, foreignReply("not a list of objects")
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

type limitedBody struct {
	io.Reader
	io.Closer
}

// isForeign reports whether somebody else than the service responded. The bytes of
// an object come with headers that [object.download] checks, and a status of 500 and
// more is a failure whoever it is from.
func isForeign(req *http.Request, res *http.Response, isJSON bool) bool {
	contentType, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch code := res.StatusCode; {
	case code >= 500:
		return false
	case code >= 400:
		return contentType == "text/html" && res.Header.Get("X-GUploader-UploadID") == ""
	case code >= 300:
		return true // the service never redirects
	case !isJSON:
		return false
	case req.Method == http.MethodDelete:
		// The service responds with 204, and emulators with JSON.
		return code != http.StatusNoContent && contentType != "application/json"
	default:
		return code != http.StatusOK
	}
}

func describe(res *http.Response) string {
	if to, err := url.Parse(res.Header.Get("Location")); err == nil && to.Host != "" {
		return fmt.Sprintf("%s to %s://%s", res.Status, to.Scheme, to.Host)
	}
	return fmt.Sprintf("%s with content type %.50q", res.Status, res.Header.Get("Content-Type"))
}

// foreignReply is the error for a response that is not the service's.
type foreignReply string

func (e foreignReply) Error() string { return "the response is not from the service: " + string(e) }
