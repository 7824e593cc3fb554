Feature: Functions
  `call` with a name of `use.functions` performs the task that stands there: its input is what `with` gives. Any other
  name is a step of the runtime.

  Scenario: A function is a task with arguments
    Given a workflow that says:
      """yaml
      use:
        functions:
          greet:
            set: {greeting: '${ "Hello, \(.name)!" }'}
      do:
        - ada: {call: greet, with: {name: '${ .first }'}}
      """
    And the workflow input is:
      """yaml
      first: Ada
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      greeting: Hello, Ada!
      """
    And the tasks should run in order ada, ada

  Scenario: A function may be a list of tasks, and end by itself
    Given a workflow that says:
      """yaml
      use:
        functions:
          sum:
            do:
              - add: {set: '${ .a + .b }', then: exit}
              - never: {set: {n: 0}}
      do:
        - calculate: {call: sum, with: {a: 1, b: 2}}
        - after: {set: '${ . * 10 }'}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      30
      """
    And the tasks should run in order calculate, calculate, add, after

  Scenario: A function does not see the variables of the place where it is called
    Given a workflow that says:
      """yaml
      use:
        functions:
          look: {set: '${ $item }'}
      do:
        - loop:
            for: {in: '[1]'}
            do:
              - ask: {call: look, with: {}}
      """
    When the document is checked
    Then the document should be refused at '4':
      """
      $item
      """

  Scenario: An error in a function stands at the place of the call
    Given a workflow that says:
      """yaml
      use:
        functions:
          refuse:
            do:
              - no: {raise: {error: {type: 'https://shop.example/errors/closed', status: 409}}}
      do:
        - ask: {call: refuse, with: {}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://shop.example/errors/closed
      status: 409
      instance: /do/0/ask/do/0/no
      """
    And the tasks should run in order ask, ask, no

  Scenario: A function may call a function
    Given a workflow that says:
      """yaml
      use:
        functions:
          double: {set: '${ .n * 2 }'}
          quadruple:
            do:
              - once: {call: double, with: {n: '${ .n }'}}
              - twice: {call: double, with: {n: '${ . }'}}
      do:
        - ask: {call: quadruple, with: {n: 3}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      12
      """
    And the tasks should run in order ask, ask, once, once, twice, twice

  Scenario: Any other name is a step of the runtime
    Given a workflow that says:
      """yaml
      do:
        - ask: {call: price, with: {sku: A-1}, output: {as: .net}}
      """
    And the step 'price' gives:
      """yaml
      {net: 10, gross: 12}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      10
      """
    And the tasks should run in order ask

  Scenario: A name that nobody knows is a configuration error
    Given a workflow that says:
      """yaml
      do:
        - ask: {call: prize, with: {sku: A-1}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/configuration
      status: 400
      instance: /do/0/ask
      """
    And the error's detail should mention 'prize'
    And the tasks should run in order ask
