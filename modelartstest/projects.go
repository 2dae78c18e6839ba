package modelartstest

import (
	"net/http"
	"net/url"
	"strconv"
)

const largestPage = 5000 // of the list of projects, by IAM's documentation

type project struct {
	id, name string
	enabled  bool
}

// AddProject adds a project to the account, behind those that are there: a sub-project, a disabled one, or a
// second one of the same name. Only ProjectID has datasets.
func (i *IAM) AddProject(id, name string, enabled bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.projects = append(i.projects, project{id, name, enabled})
}

// SetProjectPage sets the size of the largest page of the list of projects, whatever a caller asks for. What
// does not fit is on further pages, which links.next of each answer leads to. By default 5000 projects fit.
func (i *IAM) SetProjectPage(size int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.pageSize = size
}

func (i *IAM) listProjects(w http.ResponseWriter, r *http.Request) {
	if refused := i.authenticate(r); refused != nil {
		refused.write(w)
		return
	}
	query := r.URL.Query()
	page, size := 1, largestPage
	for _, number := range []struct {
		name  string
		value *int
		most  int
	}{{"page", &page, 1 << 20}, {"per_page", &size, largestPage}} {
		if !query.Has(number.name) {
			continue
		}
		value, err := strconv.Atoi(query.Get(number.name))
		if err != nil || value < 1 || value > number.most {
			(&problem{http.StatusBadRequest, "IAM.0011", "Invalid parameter: " + number.name}).write(w)
			return
		}
		*number.value = value
	}

	i.mu.Lock()
	defer i.mu.Unlock()
	var found []project
	for _, p := range i.projects {
		if (!query.Has("name") || query.Get("name") == p.name) &&
			(!query.Has("enabled") || query.Get("enabled") == strconv.FormatBool(p.enabled)) {
			found = append(found, p)
		}
	}
	size = max(1, min(size, i.pageSize))
	start := min((page-1)*size, len(found))
	end := min(start+size, len(found))
	links := map[string]any{"self": linkTo(r, query), "next": nil, "previous": nil}
	if end < len(found) {
		links["next"] = linkTo(r, atPage(query, page+1))
	}
	if page > 1 {
		links["previous"] = linkTo(r, atPage(query, page-1))
	}
	writeProjects(w, r, found[start:end], links)
}

// listOwnProjects lists what the caller can reach, which is everything, on one page.
func (i *IAM) listOwnProjects(w http.ResponseWriter, r *http.Request) {
	if refused := i.authenticate(r); refused != nil {
		refused.write(w)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	writeProjects(w, r, i.projects, map[string]any{"self": linkTo(r, nil), "next": nil, "previous": nil})
}

func writeProjects(w http.ResponseWriter, r *http.Request, projects []project, links map[string]any) {
	shown := make([]map[string]any, 0, len(projects))
	for _, p := range projects {
		shown = append(shown, map[string]any{
			"id": p.id, "name": p.name, "enabled": p.enabled, "description": "",
			"domain_id": DomainID, "parent_id": DomainID, "is_domain": false,
			"links": map[string]any{"self": origin(r) + "/v3/projects/" + url.PathEscape(p.id)},
		})
	}
	writeJSON(w, http.StatusOK, map[string]any{"projects": shown, "links": links})
}

func atPage(query url.Values, page int) url.Values {
	other := make(url.Values, len(query)+1)
	for name, values := range query {
		other[name] = values
	}
	other.Set("page", strconv.Itoa(page))
	return other
}

func linkTo(r *http.Request, query url.Values) string {
	link := origin(r) + r.URL.EscapedPath()
	if len(query) > 0 {
		link += "?" + query.Encode()
	}
	return link
}

func origin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
