Feature: Data flow
  Each task sees the output of the one before it. What it sees and what it gives can be shaped by expressions, and
  every stage can be checked by a schema. The order is: if, input.schema, input.from, the task, output.as,
  output.schema, export.as, export.schema, then.

  Scenario: The input of the workflow is transformed before the first task sees it
    Given a workflow that says:
      """yaml
      input:
        from: .order
      do:
        - look:
            set:
              seen: ${ . }
              raw: ${ $workflow.input }
      """
    And the workflow input is:
      """yaml
      order: {id: 7}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      seen: {id: 7}
      raw: {order: {id: 7}}
      """
    And the tasks should run in order look

  Scenario: The input can be shaped by an object with expressions in it
    Given a workflow that says:
      """yaml
      do:
        - look:
            input:
              from:
                id: ${ .order.id }
                kind: order
            set: ${ . }
      """
    And the workflow input is:
      """yaml
      order: {id: 7}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {id: 7, kind: order}
      """
    And the tasks should run in order look

  Scenario: A task's input.from changes what the task sees and nothing else
    Given a workflow that says:
      """yaml
      do:
        - narrow:
            input:
              from: .a
            set:
              seen: ${ . }
              input: ${ $input }
              raw: ${ $task.input }
        - next:
            set: ${ . }
      """
    And the workflow input is:
      """yaml
      {a: 1, b: 2}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      seen: 1
      input: 1
      raw: {a: 1, b: 2}
      """
    And the tasks should run in order narrow, next

  Scenario: output.as shapes what the next task sees, with the task's input at hand
    Given a workflow that says:
      """yaml
      do:
        - add:
            set:
              sum: ${ .x + .y }
            output:
              as: '{sum, of: [$input.x, $input.y]}'
        - next:
            set: ${ .of + [.sum] }
      """
    And the workflow input is:
      """yaml
      {x: 1, y: 2}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [1, 2, 3]
      """
    And the tasks should run in order add, next
    And add should complete with output:
      """yaml
      {sum: 3, of: [1, 2]}
      """

  Scenario: The output of the workflow is shaped last, with the context at hand
    Given a workflow that says:
      """yaml
      output:
        as:
          result: ${ .n }
          context: ${ $context }
      do:
        - count:
            set: {n: 1}
            export:
              as: '{counted: .n}'
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      result: 1
      context: {counted: 1}
      """
    And the tasks should run in order count

  @decision-5
  Scenario: The context begins as the transformed input of the workflow
    Given a workflow that says:
      """yaml
      input:
        from: .customer
      do:
        - look:
            set: ${ $context }
      """
    And the workflow input is:
      """yaml
      customer: {name: Ada}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      name: Ada
      """
    And the tasks should run in order look

  Scenario: An export replaces the context for all tasks that follow
    Given a workflow that says:
      """yaml
      do:
        - first:
            set: {n: 1}
            export:
              as: '$context + {first: $output.n}'
        - second:
            set: {n: 2}
            export:
              as: '$context + {second: .n}'
        - look:
            set: ${ $context }
      """
    And the workflow input is:
      """yaml
      zeroth: 0
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {zeroth: 0, first: 1, second: 2}
      """
    And the tasks should run in order first, second, look

  Scenario: An export sees the shaped output, and the raw output in the task's descriptor
    Given a workflow that says:
      """yaml
      do:
        - first:
            set: {a: 1, b: 2}
            output:
              as: .a
            export:
              as: '{shaped: ., output: $output, raw: $task.output}'
        - look:
            set: ${ $context }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      shaped: 1
      output: 1
      raw: {a: 1, b: 2}
      """
    And the tasks should run in order first, look

  Scenario: A context that a task inside a composite exports is seen outside of it
    Given a workflow that says:
      """yaml
      do:
        - outer:
            do:
              - inner:
                  set: {n: 1}
                  export:
                    as: '{from: $task.name}'
        - look:
            set: ${ $context }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      from: inner
      """
    And the tasks should run in order outer, inner, look

  Scenario: Set replaces the data, it does not merge
    Given a workflow that says:
      """yaml
      do:
        - set:
            set: {b: 2}
      """
    And the workflow input is:
      """yaml
      a: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      b: 2
      """
    And the tasks should run in order set

  @decision-4
  Scenario: Data that no expression touches stays as it is
    Given a workflow that says:
      """yaml
      do:
        - pass:
            switch:
              - default:
                  then: continue
        - pause:
            wait: PT1S
      """
    And the workflow input is:
      """yaml
      {id: 12345678901234567890, ratio: 1.0, text: "", none: null}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {id: 12345678901234567890, ratio: 1.0, text: "", none: null}
      """
    And the tasks should run in order pass, pause

  Scenario: Without any input the data is null
    Given a workflow that says:
      """yaml
      do:
        - look:
            set:
              seen: ${ . }
              sum: ${ .colors + ["red"] }
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      seen: null
      sum: [red]
      """
    And the tasks should run in order look

  Scenario: An empty workflow gives its input
    Given a workflow that says:
      """yaml
      do: []
      """
    And the workflow input is:
      """yaml
      5
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      5
      """
    And no task should run
