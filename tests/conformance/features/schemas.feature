Feature: Schemas
  A schema is JSON Schema 2020-12. It can stand in five places: the input and the output of the workflow, the input,
  the output and the exported context of a task. What does not fit is a validation error (400).

  Scenario: The workflow's input must fit before any task runs
    Given a workflow that says:
      """yaml
      input:
        schema:
          document:
            type: object
            required: [id]
            properties:
              id: {type: integer}
      do:
        - look:
            set: ${ . }
      """
    And the workflow input is:
      """yaml
      id: seven
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
      status: 400
      instance: /
      """
    And the error's detail should mention '/id'
    And no task should run

  Scenario: The schema is asked about the input as it came, before input.from
    Given a workflow that says:
      """yaml
      input:
        schema:
          document: {type: object, required: [order]}
        from: .order
      do:
        - look:
            input:
              schema:
                document: {type: object, required: [id]}
              from: .id
            set: ${ . }
      """
    And the workflow input is:
      """yaml
      order: {id: 7}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      7
      """
    And the tasks should run in order look

  Scenario: A task's input must fit
    Given a workflow that says:
      """yaml
      do:
        - look:
            input:
              schema:
                document: {type: array}
            set: ${ . }
      """
    And the workflow input is:
      """yaml
      {}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
      status: 400
      title: Validation Error
      instance: /do/0/look
      """
    And the tasks should run in order look

  Scenario: A task's output must fit as it was shaped
    Given a workflow that says:
      """yaml
      do:
        - look:
            set: {n: 1}
            output:
              as: .n
              schema:
                document: {type: string}
        - never:
            set: {n: 2}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
      status: 400
      instance: /do/0/look
      """
    And the tasks should run in order look
    And look should fault

  Scenario: An exported context must fit
    Given a workflow that says:
      """yaml
      do:
        - look:
            set: {n: 1}
            export:
              as: '{total: .n}'
              schema:
                document:
                  properties:
                    total: {minimum: 10}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
      status: 400
      instance: /do/0/look
      """
    And the error's detail should mention '/total'
    And the tasks should run in order look

  Scenario: The workflow's output must fit
    Given a workflow that says:
      """yaml
      output:
        schema:
          document: {type: object, required: [result]}
      do:
        - look:
            set: {n: 1}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
      status: 400
      instance: /
      """
    And the tasks should run in order look
    And look should complete

  Scenario: What does not fit can be caught like any error
    Given a workflow that says:
      """yaml
      do:
        - checked:
            try:
              - look:
                  input:
                    schema:
                      document: {required: [id]}
                  set: ${ . }
            catch:
              errors:
                with:
                  type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
              do:
                - mend:
                    set: {id: 0}
      """
    And the workflow input is:
      """yaml
      {}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      id: 0
      """
    And the tasks should run in order checked, look, mend
    And look should fault with error:
      """yaml
      instance: /do/0/checked/try/0/look
      """

  Scenario: A function's schema checks the arguments of each call
    Given a workflow that says:
      """yaml
      use:
        functions:
          double:
            input:
              schema:
                document: {required: [n]}
            set: ${ .n * 2 }
      do:
        - wrong:
            call: double
            with: {m: 1}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
      status: 400
      instance: /do/0/wrong
      """
    And the tasks should run in order wrong, wrong
