package serve

import (
	_ "embed" // the description
	"net/http"

	"powerspy2/internal/serve/api"
)

// description is that of the API, OpenAPI 3.1.
//
//go:embed openapi.json
var description []byte

func (s *Server) describeAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", api.JSON)
	_, _ = w.Write(description) // who asked may be gone
}
