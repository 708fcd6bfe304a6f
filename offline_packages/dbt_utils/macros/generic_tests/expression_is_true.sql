{#-
  The expression is true for every row; put on a column, the expression is the rest of a comparison, like `>= 1`.
  A row for which it is null does not fail.
-#}
{% test expression_is_true(model, expression, column_name=none) %}

select *
from {{ model }}
where not ({{ expression if column_name is none else column_name ~ ' ' ~ expression }})

{% endtest %}
