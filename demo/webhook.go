// Takes what an A2A agent pushes. Copy this file into your application; it needs the standard library only.
//
//	AGENT=https://agent.example.com URL=https://app.example.com/webhook TOKEN=secret PORT=8080 go run webhook.go
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// Webhook is registered as URL, perhaps with Token. Agent is the agent's URL, whose keys sign. Take gets each event once.
type Webhook struct {
	Agent, URL, Token string
	Take              func(id string, event json.RawMessage) error
	lock              sync.Mutex
	seen              map[string]bool // with several processes: a table of your database
	keys              map[string]ed25519.PublicKey
	fetched           time.Time
}

var errNoKeys = errors.New("the agent's keys cannot be had")

// verify says why this is not what the agent sent under this id to this webhook, lately.
func (w *Webhook) verify(header http.Header, body []byte) error {
	if subtle.ConstantTimeCompare([]byte(header.Get("X-A2A-Notification-Token")), []byte(w.Token)) != 1 && w.Token != "" {
		return errors.New("not the token that was registered")
	}
	parts := strings.Split(header.Get("X-A2A-Notification-JWT"), ".")
	if len(parts) != 3 {
		return errors.New("no X-A2A-Notification-JWT")
	}
	var head struct{ Alg, Kid string }
	var claims struct {
		Aud, Jti string
		Iat, Exp int64
		Digest   string `json:"request_body_sha256"`
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || decode(parts[0], &head) != nil || decode(parts[1], &claims) != nil || head.Alg != "EdDSA" {
		return errors.New("the JWT cannot be read")
	}
	key, err := w.key(head.Kid)
	if err != nil {
		return err
	}
	digest, now := sha256.Sum256(body), time.Now().Unix()
	switch {
	case !ed25519.Verify(key, []byte(parts[0]+"."+parts[1]), signature):
		return errors.New("the signature of the JWT is wrong")
	case claims.Aud != w.URL:
		return errors.New("the JWT is for another webhook")
	case claims.Exp+60 < now || claims.Iat-60 > now:
		return errors.New("the JWT has expired, or the clocks differ")
	case claims.Jti != header.Get("webhook-id"):
		return errors.New("the JWT of another push")
	case claims.Digest != hex.EncodeToString(digest[:]):
		return errors.New("not the body that was signed")
	}
	return nil
}

func decode(part string, into any) error {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// key is the agent's key of this id. Keys are kept for five minutes; an unknown id asks for them again, twice a minute at most.
func (w *Webhook) key(id string) (ed25519.PublicKey, error) {
	age := time.Since(w.fetched)
	if w.keys == nil || age > 5*time.Minute || (w.keys[id] == nil && age > 30*time.Second) {
		answer, err := (&http.Client{Timeout: 2 * time.Second}).Get(w.Agent + "/.well-known/jwks.json")
		if err != nil {
			return nil, errNoKeys
		}
		defer answer.Body.Close()
		var set struct {
			Keys []struct{ Kid, Crv, X string }
		}
		if answer.StatusCode != 200 || json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&set) != nil {
			return nil, errNoKeys
		}
		w.keys, w.fetched = map[string]ed25519.PublicKey{}, time.Now()
		for _, known := range set.Keys {
			if raw, err := base64.RawURLEncoding.DecodeString(known.X); err == nil && known.Crv == "Ed25519" && len(raw) == 32 {
				w.keys[known.Kid] = raw
			}
		}
	}
	if w.keys[id] == nil {
		return nil, errors.New("signed with a key that the agent does not publish")
	}
	return w.keys[id], nil
}

func (w *Webhook) handle(header http.Header, body []byte) (int, string) {
	w.lock.Lock()
	defer w.lock.Unlock()
	if err := w.verify(header, body); err == errNoKeys {
		return 503, err.Error() // the agent tries again later
	} else if err != nil {
		return 401, "not a push of the agent: " + err.Error()
	}
	id := header.Get("webhook-id")
	if w.seen[id] {
		return 200, "duplicate" // delivery is at least once, and the id the same on every attempt
	}
	if err := w.Take(id, body); err != nil {
		return 500, "not now"
	}
	if w.seen == nil || len(w.seen) > 10_000 {
		w.seen = map[string]bool{}
	}
	w.seen[id] = true // remembered after the work: what fails halfway is taken when it comes again
	return 200, "ok"
}

func (w *Webhook) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(response, request.Body, 1_000_000))
	status, text := 413, "too large"
	if err == nil {
		status, text = w.handle(request.Header, body)
	}
	response.WriteHeader(status)
	fmt.Fprint(response, text)
}

func main() {
	take := func(id string, event json.RawMessage) error { fmt.Println(id, string(event)); return nil }
	webhook := &Webhook{Agent: os.Getenv("AGENT"), URL: os.Getenv("URL"), Token: os.Getenv("TOKEN"), Take: take}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		panic(err)
	}
	fmt.Println("listening on", listener.Addr().(*net.TCPAddr).Port)
	panic(http.Serve(listener, webhook))
}
