Feature: A2A
  call: a2a asks an agent, whose card or whose server the document names.

  Background:
    Given the service 'agents.example' answers:
      """yaml
      - on: GET /card.json
        body: {protocolVersion: 0.3.0, name: Oracle, url: 'https://agents.example/a2a', preferredTransport: JSONRPC}
      - {on: POST /a2a, body: {jsonrpc: '2.0', id: x, result: {kind: task, id: t-1, status: {state: completed}}}}
      - on: POST /stream
        headers: {Content-Type: text/event-stream}
        body: "data: {\"jsonrpc\": \"2.0\", \"id\": 1, \"result\": 1}\n\ndata: {\"jsonrpc\": \"2.0\", \"id\": 1, \"result\": 2}\n\n"
      - {on: POST /refuses, body: {jsonrpc: '2.0', id: x, error: {code: -32001, message: no such task}}}
      """

  Scenario Outline: <method>, the agent found by its <whom>
    Given a workflow that says:
      """yaml
      do:
        - ask: {call: a2a, with: {method: <method>, <where>, parameters: <parameters>}, output: {as: .id}}
      """
    And the workflow input is:
      """yaml
      question: How deep?
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      t-1
      """
    And the tasks should run in order ask
    And the last request should hold:
      """yaml
      <sent>
      """

    Examples:
      | method       | whom   | where                                                  | parameters                                                     | sent                                                                                                                    |
      | message/send | card   | agentCard: {endpoint: 'https://agents.example/card.json'} | {message: {parts: [{kind: text, text: '${ .question }'}]}} | {method: message/send, params: {message: {kind: message, role: user, parts: [{kind: text, text: How deep?}]}}}          |
      | tasks/get    | server | server: 'https://agents.example/a2a'                   | {id: t-1}                                                      | {method: tasks/get, params: {id: t-1}}                                                                                  |
      | tasks/cancel | server | server: {uri: 'https://agents.example/a2a'}            | '${ {id: "t-1"} }'                                             | {method: tasks/cancel, params: {id: t-1}}                                                                               |

  Scenario: A stream is the array of its results
    Given a workflow that says:
      """yaml
      do:
        - ask: {call: a2a, with: {method: message/stream, server: 'https://agents.example/stream', parameters: {message: {parts: []}}}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [1, 2]
      """
    And the tasks should run in order ask

  Scenario: An error of the agent is a runtime error with its words
    Given a workflow that says:
      """yaml
      do:
        - ask: {call: a2a, with: {method: tasks/get, server: 'https://agents.example/refuses', parameters: {id: t-2}}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/runtime
      status: 500
      instance: /do/0/ask
      """
    And the error's detail should mention 'no such task'
    And the tasks should run in order ask

  Scenario: An agent that nobody names is found before anything runs
    Given a workflow that says:
      """yaml
      do:
        - ask: {call: a2a, with: {method: tasks/get, parameters: {id: t-1}}}
      """
    When the document is checked
    Then the document should be refused at '3':
      """
      nobody to call
      """
