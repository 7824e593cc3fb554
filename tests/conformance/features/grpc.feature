Feature: gRPC
  call: grpc calls a method of a service that a proto describes; messages are protobuf's JSON.

  Background:
    Given a gRPC service Greeter at port 5014

  Scenario: A message is sent and one comes back
    Given a workflow that says:
      """yaml
      do:
        - greet:
            call: grpc
            with:
              proto: {endpoint: 'file://app/greet.proto'}
              service: {name: GreeterApi.Greeter, host: localhost, port: 5014}
              method: SayHello
              arguments: {name: '${ .name }'}
      """
    And the workflow input is:
      """yaml
      name: Ada
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      message: Hello, Ada!
      """
    And the tasks should run in order greet

  Scenario Outline: What does not fit the proto: <why>
    Given a workflow that says:
      """yaml
      do:
        - greet:
            call: grpc
            with:
              proto: {endpoint: 'file://app/greet.proto'}
              service: {name: <service>, host: localhost, port: 5014}
              method: <method>
              arguments: <arguments>
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/<type>
      status: 400
      instance: /do/0/greet
      """
    And the error's detail should mention '<says>'
    And the tasks should run in order greet

    Examples:
      | why        | service            | method   | arguments   | type          | says       |
      | a service  | GreeterApi.Waiter  | SayHello | {name: Ada} | configuration | Greeter    |
      | a method   | Greeter            | SayBye   | {name: Ada} | configuration | SayHello   |
      | a message  | Greeter            | SayHello | {nam: Ada}  | validation    | nam        |

  Scenario: A port where nobody listens
    Given a workflow that says:
      """yaml
      do:
        - greet:
            call: grpc
            with:
              proto: {endpoint: 'file://app/greet.proto'}
              service: {name: Greeter, host: localhost, port: 1}
              method: SayHello
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
      status: 503
      instance: /do/0/greet
      """
    And the tasks should run in order greet
