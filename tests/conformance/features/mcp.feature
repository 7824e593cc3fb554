Feature: MCP
  call: mcp speaks the Model Context Protocol with a server: one session for each call, begun by its handshake.

  Background:
    Given the service 'tools.example' answers:
      """yaml
      - on: POST /mcp
        headers: {Mcp-Session-Id: s-1}
        body: {jsonrpc: '2.0', id: 1, result: {protocolVersion: '2025-06-18', capabilities: {}, serverInfo: {name: t, version: '1'}}}
      - {on: POST /mcp, status: 202}
      - {on: POST /mcp, body: {jsonrpc: '2.0', id: 2, result: {content: [{type: text, text: '3'}], tools: []}}}
      - {on: DELETE /mcp}
      - on: POST /broken
        body: {jsonrpc: '2.0', id: 1, result: {protocolVersion: '2025-06-18', capabilities: {}, serverInfo: {name: t, version: '1'}}}
      - {on: POST /broken, status: 202}
      - {on: POST /broken, body: {jsonrpc: '2.0', id: 2, result: {isError: true, content: [{type: text, text: out of paper}]}}}
      """

  Scenario: A tool is called with evaluated arguments, in a session of its own
    Given a workflow that says:
      """yaml
      do:
        - add:
            call: mcp
            with:
              method: tools/call
              parameters: {name: add, arguments: {a: '${ .a }', b: 2}}
              transport: {http: {endpoint: 'https://tools.example/mcp', headers: {X-Team: '${ .team }'}}}
              client: {name: order-desk, version: 1.0.0}
            output: {as: '.content[0].text | tonumber'}
      """
    And the workflow input is:
      """yaml
      {a: 1, team: sales}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      3
      """
    And the tasks should run in order add
    And the service 'tools.example' should have received:
      """yaml
      - body: {method: initialize, params: {protocolVersion: '2025-06-18', clientInfo: {name: order-desk, version: 1.0.0}}}
        headers: {x-team: sales}
      - body: {method: notifications/initialized}
        headers: {x-team: sales, mcp-session-id: s-1, mcp-protocol-version: '2025-06-18'}
      - body: {method: tools/call, params: {name: add, arguments: {a: 1, b: 2}}}
        headers: {x-team: sales, mcp-session-id: s-1}
      - method: DELETE
      """

  Scenario Outline: <method> gives its result
    Given a workflow that says:
      """yaml
      do:
        - ask: {call: mcp, with: {method: <method>, transport: {http: {endpoint: 'https://tools.example/mcp'}}}, output: {as: .tools}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      []
      """
    And the tasks should run in order ask

    Examples:
      | method                   |
      | tools/list               |
      | prompts/list             |
      | resources/list           |
      | resources/templates/list |

  Scenario: A tool that fails is a runtime error with its words
    Given a workflow that says:
      """yaml
      do:
        - print: {call: mcp, with: {method: tools/call, parameters: {name: print}, transport: {http: {endpoint: 'https://tools.example/broken'}}}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/runtime
      status: 500
      instance: /do/0/print
      """
    And the error's detail should mention 'out of paper'
    And the tasks should run in order print

  Scenario: A method that the protocol does not have is found before anything runs
    Given a workflow that says:
      """yaml
      do:
        - ask: {call: mcp, with: {method: tools/run, transport: {http: {endpoint: 'https://tools.example/mcp'}}}}
      """
    When the document is checked
    Then the document should be refused at '3':
      """
      tools/run
      """
