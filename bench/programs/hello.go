// The same hello for Go's net/http/fcgi. The Unix socket is the argument.
package main

import (
	"log"
	"net"
	"net/http"
	"net/http/fcgi"
	"os"
	"strconv"
)

func main() {
	body := []byte("Hello, World!\n")
	length := strconv.Itoa(len(body))
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	hello := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", length)
		w.Write(body)
	}
	log.Fatal(fcgi.Serve(listener, http.HandlerFunc(hello)))
}
