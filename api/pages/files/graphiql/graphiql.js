// GraphiQL on our own API. React and GraphiQL come as plain scripts, and are global.

const QUERY = `# Run this by the button, or Ctrl-Enter. Messages
# are in the language that Accept-Language asks
# for: see Headers, below.

query LookUp {
  organisation(
    identifier: {
      type: SIRET
      value: "732 829 320 00074"
    }
  ) {
    __typename
    ... on Organisation {
      name
      status
      onPortal
      message
    }
    ... on Problem {
      code
      message
    }
  }
  identifierTypes {
    type
    label
    formatHint
  }
}
`;
const HEADERS = JSON.stringify({ "Accept-Language": "en" }, null, 2);

ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url: "/graphql", enableIncrementalDelivery: false }),
    defaultQuery: QUERY,
    defaultHeaders: HEADERS,
    defaultEditorToolsVisibility: "headers",
  }),
);
