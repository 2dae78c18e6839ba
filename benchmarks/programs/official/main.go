// Command official makes one call with the official SDK. Its size and its time are what is measured.
package main

import (
	"context"
	"log"
	"os"

	"github.com/modelarts-go/modelarts/benchmarks/internal/official"
)

func main() {
	client, err := official.New(os.Args[1], nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Get(context.Background()); err != nil {
		log.Fatal(err)
	}
}
