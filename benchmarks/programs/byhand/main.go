// Command byhand makes one call with net/http alone. Its size and its time are what is measured.
package main

import (
	"context"
	"log"
	"os"

	"github.com/modelarts-go/modelarts/benchmarks/internal/byhand"
)

func main() {
	client := byhand.New(os.Args[1], nil)
	if err := client.Get(context.Background()); err != nil {
		log.Fatal(err)
	}
}
